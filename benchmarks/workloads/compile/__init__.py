"""How long the step of a deep network takes to trace and compile, by its depth."""

import numpy as np

from benchmarks.workload import Settings, Workload

VOCABULARY, WIDTH, HEADS, LENGTH, BATCH = 256, 64, 4, 32, 2
# What has no loop over the blocks takes minutes beyond 12 of them.
UNROLLED = ["handwritten unrolled", "flax unrolled"]
DEPTHS = {6: [], 12: [], 24: UNROLLED, 48: UNROLLED, 96: UNROLLED}

WORKLOAD = Workload(
    title=f"Compile a GPT's step, {WIDTH} wide",
    cases={"cpu": {f"{n} blocks": {"blocks": n, "without": x} for n, x in DEPTHS.items()}},
    contenders={
        "jaxnet": ("",),
        "handwritten": ("scan", "unrolled"),
        "flax": ("nnx.scan", "unrolled"),
    },
    unit="compilation",
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Random tokens."""
    rng = np.random.default_rng(0)
    return {"ids": rng.integers(VOCABULARY, size=(BATCH, LENGTH + 1))}
