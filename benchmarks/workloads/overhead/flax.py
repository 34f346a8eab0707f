"""Modules of Flax NNX: a jitted step as in its guides, and one bound to its arguments."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from benchmarks.trial_flax import training
from benchmarks.trial_jax import Training
from benchmarks.workload import Task
from benchmarks.workloads.overhead import NAMES, RATE


class Tiny(nnx.Module):
    """Adds the distance of its two leaves from one."""

    def __init__(self, scale: jax.Array, bias: jax.Array) -> None:
        self.scale, self.bias = nnx.Param(scale), nnx.Param(bias)

    def __call__(self, x: jax.Array) -> jax.Array:
        return x + (jnp.square(self.scale - 1) + jnp.square(self.bias - 1)).sum()


def loss_of(net: nnx.Module, batch: dict[str, jax.Array]) -> jax.Array:
    """The distance of all leaves from one."""
    return net(batch["x"])


def build(task: Task, variant: str) -> Training:
    """Its training."""
    leaves = zip(*(jnp.asarray(task.weights[f"0/{name}"]) for name in NAMES), strict=True)
    net = nnx.Sequential(*(Tiny(*each) for each in leaves))
    return training(net, loss_of, optax.sgd(RATE), task.data, bound=variant != "nnx.jit")
