"""A tiny vision transformer, trained by AdamW."""

import numpy as np

from benchmarks.workload import Settings, Workload

WORKLOAD = Workload(
    title="ViT-Ti 32x32, batch 32",
    # Patch, width, depth, heads, classes; with the class token there are 65 tokens.
    cases={"cpu": {"": {"network": (4, 192, 12, 3, 10), "size": 32, "batch": 32}}},
    contenders={
        "jaxnet": ("step", "8 steps a dispatch"),
        "handwritten": ("step", "8 steps a dispatch"),
        "pytorch": ("eager", "fused", "compiled"),
        "flax": ("",),
    },
    items="batch",
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Random images and labels."""
    rng, size = np.random.default_rng(0), settings["size"]
    return {
        "x": rng.random((settings["batch"], size, size, 3), np.float32),
        "y": rng.integers(settings["network"][-1], size=settings["batch"]),
    }
