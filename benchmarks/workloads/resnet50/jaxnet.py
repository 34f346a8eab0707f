"""The network as layers, the step as ``train_step``, in mixed precision."""

from typing import Any

import jax

import jaxnet as jn
from benchmarks.networks.resnet import Block, resnet50
from benchmarks.trial_jax import Training, training
from benchmarks.workload import Settings, Task

NET = resnet50(1000)


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters, with a fifth of the usual scale behind each block.

    With all of it, 50 layers turn the rounding of float32 into 4 % of a gradient, by float64, so
    that no two contenders would agree.
    """
    params = NET.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 224, 224, 3), "float32"))
    for i, layer in enumerate(NET.layers):
        if isinstance(layer, Block):
            params[str(i)]["2"]["norm"]["scale"] *= 0.2
    return params


def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
    """The cross-entropy."""
    return jn.losses.softmax_cross_entropy(NET(params, batch["x"], key=key), batch["y"])


def build(task: Task, variant: str) -> Training:
    """Its training."""
    tx = jn.optim.sgd(1e-3, momentum=0.9)
    return training(task, loss_fn, tx, variant, precision=task.settings["dtype"])
