"""The training steps: bfloat16 to compute in, float32 weights, Adam."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import jaxnet as jn
from benchmarks.networks.gpt import SIZES, gpt
from benchmarks.networks.resnet import resnet50
from jaxnet import nn
from jaxnet.train import TrainState
from jaxnet.train.step import plain_step

Program = tuple[Callable[..., Any], Any, Any]


def training(net: nn.Layer, loss_fn: Any, batch: Any, *inputs: Any) -> Program:
    """A step, its state and its batch, as shapes."""
    tx = jn.optim.adam(1e-3)

    def create() -> TrainState:
        params = net.init(jax.random.key(0), *inputs)
        return TrainState.create(params, tx, jax.random.key(1), precision="bfloat16")

    return plain_step(loss_fn, tx, precision="bfloat16"), jax.eval_shape(create), batch


def gpt2(size: str, batch: int, **options: Any) -> Program:
    """GPT-2, with further options for its network."""
    shape = SIZES[size]
    net = gpt(*shape, **options)
    ids = jax.ShapeDtypeStruct((batch, shape[-1] + 1), jnp.int32)
    return training(net, net.loss, ids, jax.ShapeDtypeStruct((1, shape[-1]), jnp.int32))


def labelled(net: nn.Layer, shape: tuple[int, ...]) -> Program:
    """A classifier of such inputs, the batch first."""
    x, y = jax.ShapeDtypeStruct(shape, jnp.float32), jax.ShapeDtypeStruct(shape[:1], jnp.int32)

    def loss_fn(params: Any, batch: Any, key: jax.Array | None) -> jax.Array:
        return jn.losses.softmax_cross_entropy(net(params, batch[0], key=key), batch[1])

    return training(net, loss_fn, (x, y), jax.ShapeDtypeStruct((1, *shape[1:]), jnp.float32))


@nn.layer
def lstm(params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
    """Two layers, and what they have at the end as ten classes."""
    x = nn.LSTM(512, layers=2)(params["lstm"], x, key=key)
    return nn.Linear(10)(params["head"], x[..., -1, :])


PROGRAMS: dict[str, Callable[[], Program]] = {
    "GPT-2 124M, 64 x 1024": lambda: gpt2("124M", 64),
    "ResNet-50, 256 x 224 x 224": lambda: labelled(resnet50(1000), (256, 224, 224, 3)),
    "LSTM 2 x 512, 256 x 128": lambda: labelled(lstm, (256, 128, 512)),
}
