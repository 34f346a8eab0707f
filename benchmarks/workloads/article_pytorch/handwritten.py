"""The same in JAX and optax alone."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from benchmarks.trial_jax import Training, optax_training
from benchmarks.workload import Task


def loss_fn(params: Any, batch: Any) -> jax.Array:
    """The mean squared error."""
    x = jax.nn.relu(batch["x"] @ params["0"]["kernel"] + params["0"]["bias"])
    x = x @ params["2"]["kernel"] + params["2"]["bias"]
    return jnp.square(x - batch["y"]).mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    return optax_training(task, loss_fn, optax.sgd(0.01), variant)
