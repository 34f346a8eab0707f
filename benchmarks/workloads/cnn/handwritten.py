"""The same in JAX and optax alone."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from benchmarks.parts_jax import linear
from benchmarks.trial_jax import Training, optax_training
from benchmarks.workload import Task

AXES = ("NHWC", "HWIO", "NHWC")


def logits(params: Any, x: jax.Array) -> jax.Array:
    """``[B, 28, 28, 1]`` to ``[B, 10]``."""
    for name in ("0", "2"):
        kernel, bias = params[name]["kernel"], params[name]["bias"]
        y = lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=AXES)
        x = jax.nn.relu(y + bias)
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = jax.nn.relu(linear(params["6"], x.reshape(len(x), -1)))
    return linear(params["8"], x)


def loss_fn(params: Any, batch: Any) -> jax.Array:
    """The cross-entropy."""
    made = logits(params, batch["x"])
    return optax.softmax_cross_entropy_with_integer_labels(made, batch["y"]).mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    return optax_training(task, loss_fn, optax.adam(1e-3), variant)
