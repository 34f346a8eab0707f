"""A multilayer perceptron on flat images, trained by Adam."""

import numpy as np

from benchmarks.workload import Settings, Workload

WORKLOAD = Workload(
    title="MLP 784-512-512-10, batch 128",
    cases={"cpu": {"": {"batch": 128}}},
    contenders={
        "jaxnet": ("step", "8 steps a dispatch"),
        "handwritten": ("step", "8 steps a dispatch"),
        "pytorch": ("eager", "fused", "compiled"),
        "flax": ("",),
        "equinox": ("",),
        "haiku": ("step", "8 steps a dispatch"),
    },
    items="batch",
    quick=True,
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Random images and labels."""
    rng = np.random.default_rng(0)
    return {
        "x": rng.random((settings["batch"], 784), np.float32),
        "y": rng.integers(10, size=settings["batch"]),
    }
