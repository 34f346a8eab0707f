"""The linear map ``y = x W + b`` on the last axis."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_axes, check_float, check_size
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers


def linear(x: jax.Array, kernel: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    """``x @ kernel + bias`` on the last axis: ``[..., I], [I, O], [O] -> [..., O]``.

    >>> linear(jnp.ones((2, 3)), jnp.ones((3, 4)), jnp.ones(4)).shape
    (2, 4)
    """
    # With leading axes XLA's kernel gradient contracts several axes and copies: one is faster.
    flat = x if x.ndim <= 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    y = flat @ kernel
    if bias is not None:
        y = y + jnp.broadcast_to(bias, y.shape)
    return y if x.ndim <= 2 else y.reshape(*x.shape[:-1], kernel.shape[-1])


class Linear(Layer):
    """A dense layer: ``[..., I] -> [..., features]``.

    Leaves ``kernel [I, features]`` and, unless switched off, ``bias [features]``. ``initializer``
    is a preset (``"torch"``, ``"keras"``, ``"flax"``) or the kernel's, with a bias of zeros.

    >>> layer = Linear(4)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 3)))
    >>> layer(params, jnp.ones((2, 5, 3))).shape
    (2, 5, 4)
    """

    features: int
    _: KW_ONLY
    bias: bool = True
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.features, "features of Linear")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_float(x, "the input of Linear")
        check_axes(x, 1, "the input of Linear")
        fan_in = x.shape[-1]
        kernel_init, bias_init = initializers.affine(self.initializer, fan_in)
        kernel = param(params, "kernel", (fan_in, self.features), kernel_init)
        bias = param(params, "bias", (self.features,), bias_init) if self.bias else None
        return linear(x, kernel, bias)
