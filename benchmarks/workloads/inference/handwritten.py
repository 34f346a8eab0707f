"""The same in JAX alone, compiled."""

from benchmarks.trial_jax import Inference, nested
from benchmarks.workload import Task, contender


def build(task: Task, variant: str) -> Inference:
    """Its calls."""
    logits = contender(task.settings["network"], "handwritten").logits
    return Inference(logits, nested(task.weights), task.data["x"])
