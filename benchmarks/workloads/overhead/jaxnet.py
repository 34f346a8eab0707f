"""Tiny layers in a row, and as one that is repeated, whose leaves are stacked."""

from typing import Any

import jax
import jax.numpy as jnp

import jaxnet as jn
from benchmarks.trial_jax import Training, nested
from benchmarks.weights import unstacked
from benchmarks.workload import Settings, Task
from benchmarks.workloads.overhead import NAMES, RATE, WIDTH
from jaxnet import nn


class Tiny(nn.Layer):
    """Adds the distance of its two leaves from one."""

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        normal = nn.initializers.Normal(1.0)
        scale, bias = (jn.param(params, name, (WIDTH,), normal) for name in NAMES)
        return x + (jnp.square(scale - 1) + jnp.square(bias - 1)).sum()


def stacked(settings: Settings) -> nn.Layer:
    """All layers as one."""
    return nn.Sequential(nn.Repeat(Tiny(), settings["leaves"] // 2))


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters, stacked: ``0/scale [leaves / 2, WIDTH]`` and ``0/bias``."""
    return stacked(settings).init(jax.random.key(0), jax.ShapeDtypeStruct((), "float32"))


def build(task: Task, variant: str) -> Training:
    """Its training."""
    net, arrays = stacked(task.settings), task.weights
    if variant != "stacked":
        net = nn.Sequential(nn.Sequential(*[Tiny()] * (task.settings["leaves"] // 2)))
        arrays = unstacked(arrays, "0")

    def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
        return net(params, batch["x"], key=key)

    tx = jn.optim.sgd(RATE)
    state = jn.train.TrainState.create(nested(arrays), tx, jax.random.key(0))
    return Training(jn.train.train_step(loss_fn, tx), state, task.data, compiled=True)
