"""An LSTM whose last output predicts a number, trained by Adam."""

import numpy as np

from benchmarks.workload import Settings, Workload


def sized(batch: int, inputs: int, hidden: int, steps: int) -> Settings:
    """A case."""
    return {"batch": batch, "inputs": inputs, "hidden": hidden, "steps": steps}


WORKLOAD = Workload(
    title="LSTM",
    cases={
        "cpu": {
            "128 hidden, 64 steps, batch 32, 64 inputs": sized(32, 64, 128, 64),
            "128 hidden, 64 steps, batch 128, 128 inputs": sized(128, 128, 128, 64),
        },
        "gpu": {"512 hidden, 128 steps, batch 256, 512 inputs": sized(256, 512, 512, 128)},
        "small": {"": sized(4, 6, 8, 5)},
    },
    contenders={
        "jaxnet": ("step", "8 steps a dispatch"),
        "handwritten": ("step", "8 steps a dispatch"),
        "pytorch": ("eager", "fused", "compiled"),
    },
    items="batch",
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Random sequences and targets."""
    rng = np.random.default_rng(0)
    shape = settings["batch"], settings["steps"], settings["inputs"]
    return {
        "x": rng.standard_normal(shape, np.float32),
        "y": rng.standard_normal((settings["batch"], 1), np.float32),
    }
