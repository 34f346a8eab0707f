"""The same in Equinox."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from benchmarks.trial_equinox import load, training
from benchmarks.trial_jax import Training
from benchmarks.workload import Task


def loss_of(net: eqx.Module, batch: dict[str, jax.Array]) -> jax.Array:
    """The mean squared error."""
    return jnp.square(jax.vmap(net)(batch["x"]) - batch["y"]).mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    one, two = jax.random.split(jax.random.key(0))
    parts = (
        eqx.nn.Linear(10, 20, key=one),
        eqx.nn.Lambda(jax.nn.relu),
        eqx.nn.Linear(20, 1, key=two),
    )
    net = eqx.nn.Sequential(parts)
    net = load(net, {f"layers/{path}": x for path, x in task.weights.items()})
    return training(net, loss_of, optax.sgd(0.01), task.data)
