"""ResNet-18 on images such as CIFAR's, trained by SGD with momentum."""

import numpy as np

from benchmarks.workload import Settings, Workload

WORKLOAD = Workload(
    title="ResNet-18 32x32, batch 32",
    cases={"cpu": {"": {"batch": 32}}},
    contenders={
        "jaxnet": ("step",),
        "handwritten": ("step",),
        "pytorch": ("eager", "fused", "fused channels-last", "compiled", "compiled channels-last"),
    },
    items="batch",
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Random images and labels."""
    rng = np.random.default_rng(0)
    return {
        "x": rng.random((settings["batch"], 32, 32, 3), np.float32),
        "y": rng.integers(10, size=settings["batch"]),
    }
