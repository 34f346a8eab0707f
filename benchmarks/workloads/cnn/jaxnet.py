"""The network as layers, the step as ``train_step``."""

from typing import Any

import jax

import jaxnet as jn
from benchmarks.networks.cnn import cnn
from benchmarks.trial_jax import Training, training
from benchmarks.workload import Settings, Task

NET = cnn()


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters."""
    return NET.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 28, 28, 1), "float32"))


def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
    """The cross-entropy."""
    return jn.losses.softmax_cross_entropy(NET(params, batch["x"], key=key), batch["y"])


def build(task: Task, variant: str) -> Training:
    """Its training."""
    return training(task, loss_fn, jn.optim.adam(1e-3), variant)
