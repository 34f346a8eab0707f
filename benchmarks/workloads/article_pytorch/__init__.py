"""A beginner's program in PyTorch: ``Linear(10, 20) -> ReLU -> Linear(20, 1)``, learnt by SGD."""

import numpy as np

from benchmarks.workload import Settings, Workload

WORKLOAD = Workload(
    title="Beginner's PyTorch program",
    cases={"cpu": {"batch 1": {"batch": 1}, "batch 32": {"batch": 32}}},
    contenders={
        "jaxnet": ("train_step", "fit"),
        "handwritten": ("step", "1000 steps a dispatch"),
        "pytorch": ("eager",),
        "flax": ("",),
        "equinox": ("",),
    },
    items="batch",
    quick=True,
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """A random batch."""
    rng = np.random.default_rng(0)
    sizes = {"x": 10, "y": 1}
    return {k: rng.random((settings["batch"], n), np.float32) for k, n in sizes.items()}
