"""The same in JAX and optax alone."""

from typing import Any

import jax
import optax

from benchmarks.trial_jax import Training, optax_training
from benchmarks.workload import Task


def logits(params: Any, x: jax.Array) -> jax.Array:
    """Of the classes."""
    for name in ("0", "2"):
        x = jax.nn.relu(x @ params[name]["kernel"] + params[name]["bias"])
    return x @ params["4"]["kernel"] + params["4"]["bias"]


def loss_fn(params: Any, batch: Any) -> jax.Array:
    """The cross-entropy."""
    scores = logits(params, batch["x"])
    return optax.softmax_cross_entropy_with_integer_labels(scores, batch["y"]).mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    return optax_training(task, loss_fn, optax.adam(1e-3), variant)
