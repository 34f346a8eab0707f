"""GPT-2 on whole sequences, computed in bfloat16 with float32 weights, trained by AdamW."""

from typing import Any

import numpy as np

from benchmarks.workload import Settings, Workload

# With 48 blocks one by one these take minutes to compile, and say no more than with 12.
WITHOUT = {"without": ("handwritten", "flax")}
TINY = {"network": (512, 64, 3, 4, 32), "batch": 4, "tokens": 4 * 32}


def sized(network: tuple[int, ...], batch: int) -> dict[str, Any]:
    """A case: ``network`` is vocabulary (padded for the products), width, depth, heads, length."""
    tokens = batch * network[-1]
    return {"network": network, "batch": batch, "tokens": tokens, "dtype": "bfloat16"}


WORKLOAD = Workload(
    title="GPT-2",
    cases={
        "gpu": {
            "124M, 64 x 1024": sized((50304, 768, 12, 12, 1024), 64),
            "1.5B, 16 x 1024": sized((50304, 1600, 48, 25, 1024), 16) | WITHOUT,
        },
        "small": {
            "float32": TINY | {"dtype": "float32"},
            "bfloat16": TINY | {"dtype": "bfloat16"},
        },
    },
    contenders={
        "jaxnet": ("step", "scanned", "full loss"),
        "handwritten": ("unrolled",),
        "pytorch": ("eager", "compiled"),
        "flax": ("",),
    },
    items="tokens",
    tolerance=2e-3,
    together=False,
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Random tokens, one more than are read."""
    vocabulary, *_, length = settings["network"]
    rng = np.random.default_rng(0)
    return {"ids": rng.integers(vocabulary, size=(settings["batch"], length + 1))}
