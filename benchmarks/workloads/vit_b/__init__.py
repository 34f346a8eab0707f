"""The base vision transformer on patches of 16 x 16, in bfloat16, trained by AdamW."""

import numpy as np

from benchmarks.workload import Settings, Workload

# Patch, width, depth, heads, classes; with the class token there are 197 tokens.
BASE = {"network": (16, 768, 12, 12, 1000), "size": 224, "batch": 256}
TINY = {"network": (8, 64, 3, 4, 10), "size": 32, "batch": 4}

WORKLOAD = Workload(
    title="ViT-B/16",
    cases={
        "gpu": {"batch 256": BASE | {"dtype": "bfloat16"}},
        "small": {
            "float32": TINY | {"dtype": "float32"},
            "bfloat16": TINY | {"dtype": "bfloat16"},
        },
    },
    contenders={
        "jaxnet": ("step",),
        "handwritten": ("unrolled",),
        "pytorch": ("eager", "compiled"),
    },
    items="batch",
    tolerance=1e-2,
    together=False,
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Random images and labels."""
    rng, size = np.random.default_rng(0), settings["size"]
    return {
        "x": rng.random((settings["batch"], size, size, 3), np.float32),
        "y": rng.integers(settings["network"][-1], size=settings["batch"]),
    }
