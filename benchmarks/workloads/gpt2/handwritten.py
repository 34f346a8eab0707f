"""The same in JAX and optax alone, its blocks stacked for one scan, or one by one."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from benchmarks.parts_jax import cast
from benchmarks.trial_jax import Training, optax_training
from benchmarks.weights import unstacked
from benchmarks.workload import Task
from benchmarks.workloads.gpt.handwritten import logits


def build(task: Task, variant: str) -> Training:
    """Its training."""

    def loss_fn(params: Any, batch: Any) -> jax.Array:
        ids, labels = batch["ids"][:, :-1], batch["ids"][:, 1:]
        scores = logits(cast(params, task.settings["dtype"]), ids).astype(jnp.float32)
        return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()

    weights = unstacked(task.weights) if variant == "unrolled" else task.weights
    tx = optax.adamw(3e-4, weight_decay=0.1)
    return optax_training(task, loss_fn, tx, variant, weights)
