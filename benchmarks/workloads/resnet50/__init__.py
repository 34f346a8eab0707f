"""ResNet-50 on images of 224 x 224, in bfloat16, trained by SGD with momentum."""

import numpy as np

from benchmarks.workload import Settings, Workload

WORKLOAD = Workload(
    title="ResNet-50",
    cases={
        "gpu": {"224x224, batch 256": {"size": 224, "batch": 256, "dtype": "bfloat16"}},
        "small": {
            "float32": {"size": 64, "batch": 8, "dtype": "float32"},
            "bfloat16": {"size": 64, "batch": 8, "dtype": "bfloat16"},
        },
    },
    contenders={
        "jaxnet": ("step",),
        "handwritten": ("step",),
        "pytorch": ("fused channels-last", "compiled channels-last"),
    },
    items="batch",
    tolerance=2e-2,
    together=False,
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Random images and labels."""
    rng, size = np.random.default_rng(0), settings["size"]
    return {
        "x": rng.random((settings["batch"], size, size, 3), np.float32),
        "y": rng.integers(1000, size=settings["batch"]),
    }
