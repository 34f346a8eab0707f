"""Modules of Equinox, in its jit."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from benchmarks.trial_equinox import training
from benchmarks.trial_jax import Training
from benchmarks.workload import Task
from benchmarks.workloads.overhead import NAMES, RATE


class Tiny(eqx.Module):
    """Adds the distance of its two leaves from one."""

    scale: jax.Array
    bias: jax.Array

    def __call__(self, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return x + (jnp.square(self.scale - 1) + jnp.square(self.bias - 1)).sum()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    leaves = zip(*(jnp.asarray(task.weights[f"0/{name}"]) for name in NAMES), strict=True)
    net = eqx.nn.Sequential([Tiny(*each) for each in leaves])
    return training(net, lambda net, batch: net(batch["x"]), optax.sgd(RATE), task.data)
