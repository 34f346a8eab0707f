"""The same in Equinox."""

from typing import Any

import equinox as eqx
import jax
import optax

from benchmarks.trial_equinox import load, training
from benchmarks.trial_jax import Training
from benchmarks.workload import Task


def loss_of(net: eqx.nn.MLP, batch: Any) -> jax.Array:
    """The cross-entropy."""
    logits = jax.vmap(net)(batch["x"])
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["y"]).mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    net = eqx.nn.MLP(784, 10, 512, 2, key=jax.random.key(0))
    names = {"0": "layers/0", "2": "layers/1", "4": "layers/2"}
    parts = ((path.split("/"), x) for path, x in task.weights.items())
    net = load(net, {f"{names[i]}/{leaf}": x for (i, leaf), x in parts})
    return training(net, loss_of, optax.adam(1e-3), task.data)
