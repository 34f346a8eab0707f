"""``remat`` of ``Repeat`` and ``accumulate`` of ``train_step``."""

from typing import Any

import jax

import jaxnet as jn
from benchmarks.networks.gpt import gpt
from benchmarks.trial_jax import Training, temporary_bytes, training
from benchmarks.workload import Settings, Task
from benchmarks.workloads.memory import parts
from jaxnet import nn


def cnn(depth: int, width: int, remat: bool) -> nn.Layer:
    """Convolutions, each on a path around its input."""
    block = nn.Residual(nn.Sequential(nn.relu, nn.Conv(width, 3, padding=1)))
    blocks = nn.Repeat(block, depth, remat=remat)
    return nn.Sequential(nn.Conv(width, 3, padding=1), blocks, nn.GlobalAvgPool(), nn.Linear(10))


def network(settings: Settings, remat: bool) -> tuple[Any, jax.ShapeDtypeStruct]:
    """The network of a case, and an input."""
    shape = settings["network"]
    if settings["kind"] == "gpt":
        return gpt(*shape, repeat={"remat": remat}), jax.ShapeDtypeStruct((1, shape[-1]), "int32")
    size = settings["size"]
    depth, width = shape
    return cnn(depth, width, remat), jax.ShapeDtypeStruct((1, size, size, 3), "float32")


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters."""
    net, x = network(settings, False)
    return net.init(jax.random.key(0), x)


def build(task: Task, variant: str) -> Training:
    """Its training."""
    net, _ = network(task.settings, "recomputed" in variant)

    def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
        if "ids" in batch:
            return net.loss(params, batch["ids"], key)
        return jn.losses.softmax_cross_entropy(net(params, batch["x"], key=key), batch["y"])

    made = training(task, loss_fn, jn.optim.adamw(1e-3), "", accumulate=parts(variant))
    # Products are counted once, however often they are done.
    del made.figures["flops"]
    made.figures["temporary_bytes"] = temporary_bytes(made)
    return made
