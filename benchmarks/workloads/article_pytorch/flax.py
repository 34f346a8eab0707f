"""The same in Flax NNX."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from benchmarks.trial_flax import load, training
from benchmarks.trial_jax import Training
from benchmarks.workload import Task


def loss_of(net: nnx.Module, batch: dict[str, jax.Array]) -> jax.Array:
    """The mean squared error."""
    return jnp.square(net(batch["x"]) - batch["y"]).mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    rngs = nnx.Rngs(0)
    net = nnx.Sequential(nnx.Linear(10, 20, rngs=rngs), nnx.relu, nnx.Linear(20, 1, rngs=rngs))
    load(net, {f"layers/{path}": x for path, x in task.weights.items()})
    return training(net, loss_of, optax.sgd(0.01), task.data)
