"""What a call costs by itself: a step that computes next to nothing, on many small leaves."""

import numpy as np

from benchmarks.workload import Settings, Workload

WORKLOAD = Workload(
    title="Call overhead",
    cases={"cpu": {f"{n:,} leaves": {"leaves": n} for n in (20, 200, 2000)}},
    contenders={
        "jaxnet": ("leaves one by one", "stacked"),
        "handwritten": ("jit on a dict", "with a step and a key, too"),
        "flax": ("nnx.jit", "cached_partial"),
        "equinox": ("filter_jit",),
        "haiku": ("jit",),
    },
)
NAMES, WIDTH, RATE = ("scale", "bias"), 8, 0.01


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Where the sum begins."""
    return {"x": np.zeros((), np.float32)}
