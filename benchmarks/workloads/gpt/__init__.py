"""A small GPT on 128 tokens, trained by AdamW."""

import numpy as np

from benchmarks.workload import Settings, Workload

# Vocabulary, width, depth, heads, length.
SIZE = 512, 256, 6, 8, 128

WORKLOAD = Workload(
    title="GPT 6x256, 8 x 128 tokens",
    cases={"cpu": {"": {"batch": 8, "tokens": 8 * 128}}},
    contenders={
        "jaxnet": ("step", "8 steps a dispatch", "8 steps a dispatch, keeping products"),
        "handwritten": ("step", "8 steps a dispatch", "unrolled"),
        "pytorch": ("eager", "fused", "compiled"),
        "flax": ("",),
        "equinox": ("",),
    },
    items="tokens",
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Random tokens."""
    rng = np.random.default_rng(0)
    shape = settings["batch"], SIZE[-1] + 1
    return {"ids": rng.integers(SIZE[0], size=shape)}
