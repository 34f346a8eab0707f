"""The same in JAX and optax alone, as the textbook's scan."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from benchmarks.trial_jax import Training, optax_training
from benchmarks.workload import Task


def loss_fn(params: Any, batch: Any) -> jax.Array:
    """The mean squared error."""
    cell, head = params["recurrent"]["0"], params["head"]

    def step(h: jax.Array, x: jax.Array) -> tuple[jax.Array, None]:
        x_r, x_z, x_n = jnp.split(x @ cell["kernel"] + cell["bias"], 3, -1)
        h_r, h_z, h_n = jnp.split(h @ cell["recurrent"], 3, -1)
        r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
        n = jnp.tanh(x_n + r * (h_n + cell["recurrent_bias"]))
        return (1 - z) * n + z * h, None

    first = jnp.zeros((len(batch["x"]), cell["recurrent"].shape[0]))
    h, _ = jax.lax.scan(step, first, batch["x"].swapaxes(0, 1))
    return jnp.square(h @ head["kernel"] + head["bias"] - batch["y"]).mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    return optax_training(task, loss_fn, optax.adam(1e-3), variant)
