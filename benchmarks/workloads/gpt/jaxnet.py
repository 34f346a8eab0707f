"""The network as layers, the step as ``train_step``."""

from typing import Any

import jax

import jaxnet as jn
from benchmarks.networks.gpt import gpt
from benchmarks.trial_jax import Training, training
from benchmarks.workload import Settings, Task
from benchmarks.workloads.gpt import SIZE

NET = gpt(*SIZE)


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters."""
    return NET.init(jax.random.key(0), jax.ShapeDtypeStruct((1, SIZE[-1]), "int32"))


def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
    """The cross-entropy of each next token."""
    return NET.loss(params, batch["ids"], key)


def build(task: Task, variant: str) -> Training:
    """Its training."""
    return training(task, loss_fn, jn.optim.adamw(3e-4, weight_decay=0.1), variant)
