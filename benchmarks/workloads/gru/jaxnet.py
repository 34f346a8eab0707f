"""The network as layers, the step as ``train_step``."""

from typing import Any

import jax

import jaxnet as jn
from benchmarks.networks.recurrent import last_output
from benchmarks.trial_jax import Training, training
from benchmarks.workload import Settings, Task
from jaxnet import nn


def network(settings: Settings) -> nn.Layer:
    """Reads a sequence, and predicts a number."""
    return last_output(nn.GRU(settings["hidden"]))


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters."""
    x = jax.ShapeDtypeStruct((1, 1, settings["inputs"]), "float32")
    return network(settings).init(jax.random.key(0), x)


def build(task: Task, variant: str) -> Training:
    """Its training."""
    net = network(task.settings)

    def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
        return jn.losses.mean_squared_error(net(params, batch["x"], key=key), batch["y"])

    return training(task, loss_fn, jn.optim.adam(1e-3), variant)
