"""A small convolutional network on images such as MNIST's, trained by Adam."""

import numpy as np

from benchmarks.workload import Settings, Workload

WORKLOAD = Workload(
    title="CNN 28x28, batch 64",
    cases={"cpu": {"": {"batch": 64}}},
    contenders={
        "jaxnet": ("step", "8 steps a dispatch"),
        # In a loop XLA's own gradients of convolution take seconds: see the workload convolution.
        "handwritten": ("step",),
        "pytorch": ("eager", "fused", "fused channels-last", "compiled", "compiled channels-last"),
        "flax": ("",),
        "equinox": ("",),
    },
    items="batch",
    quick=True,
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Random images and labels."""
    rng = np.random.default_rng(0)
    return {
        "x": rng.random((settings["batch"], 28, 28, 1), np.float32),
        "y": rng.integers(10, size=settings["batch"]),
    }
