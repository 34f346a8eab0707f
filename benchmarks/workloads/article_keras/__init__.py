"""A beginner's program in Keras: a whole training of a small classifier, in a process kept warm."""

import numpy as np

from benchmarks.workload import Settings, Workload

WORKLOAD = Workload(
    title="Beginner's Keras program",
    cases={
        "cpu": {
            "100 x 10 epochs": {"examples": 100, "epochs": 10},
            "10,000 x 50 epochs": {"examples": 10_000, "epochs": 50, "quick": False},
        }
    },
    contenders={
        "jaxnet": ("fit",),
        "handwritten": ("scan per epoch",),
        "keras": ("tensorflow", "jax"),
    },
    unit="training",
    quick=True,
)
BATCH = 32


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Random examples and classes, one-hot."""
    rng = np.random.default_rng(0)
    x = rng.random((settings["examples"], 20), np.float32)
    return {"x": x, "y": np.eye(2, dtype=np.float32)[rng.integers(2, size=len(x))]}
