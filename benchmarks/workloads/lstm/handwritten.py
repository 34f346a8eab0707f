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

    def step(state: Any, x: jax.Array) -> tuple[Any, None]:
        h, c = state
        z = x @ cell["kernel"] + h @ cell["recurrent"] + cell["bias"]
        i, f, g, o = jnp.split(z, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    first = jnp.zeros((len(batch["x"]), cell["recurrent"].shape[0]))
    (h, _), _ = jax.lax.scan(step, (first, first), batch["x"].swapaxes(0, 1))
    return jnp.square(h @ head["kernel"] + head["bias"] - batch["y"]).mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    return optax_training(task, loss_fn, optax.adam(1e-3), variant)
