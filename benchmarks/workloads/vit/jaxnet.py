"""The network as layers, the step as ``train_step``."""

from typing import Any

import jax

import jaxnet as jn
from benchmarks.networks.vit import vit
from benchmarks.trial_jax import Training, training
from benchmarks.workload import Settings, Task


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters."""
    images = jax.ShapeDtypeStruct((1, settings["size"], settings["size"], 3), "float32")
    return vit(*settings["network"]).init(jax.random.key(0), images)


def build(task: Task, variant: str) -> Training:
    """Its training."""
    net = vit(*task.settings["network"])

    def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
        return jn.losses.softmax_cross_entropy(net(params, batch["x"], key=key), batch["y"])

    return training(task, loss_fn, jn.optim.adamw(1e-4, weight_decay=0.05), variant)
