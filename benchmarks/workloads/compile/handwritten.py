"""The same in JAX and optax alone, in a scan over stacked blocks, and block after block."""

import optax

from benchmarks.trial_compile import Compiling
from benchmarks.trial_jax import optax_training
from benchmarks.weights import unstacked
from benchmarks.workload import Task
from benchmarks.workloads.gpt.handwritten import loss_fn


def build(task: Task, variant: str) -> Compiling:
    """Its step."""
    weights = task.weights
    if variant == "unrolled":
        weights = unstacked(weights)
    tx = optax.adamw(3e-4, weight_decay=0.1)
    return Compiling(optax_training(task, loss_fn, tx, "step", weights))
