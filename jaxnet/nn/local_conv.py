"""Convolution with a kernel of its own at each place."""

import dataclasses
import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_float, check_prediction, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers
from jaxnet.nn.conv import check_bias, check_options
from jaxnet.nn.sliding import Padding, Sizes, sliding, window_size
from jaxnet.nn.window import as_one_batch


def local_conv(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    stride: Sizes = 1,
    padding: Padding = "VALID",
    dilation: Sizes = 1,
) -> jax.Array:
    """``conv``, but each place has its own kernel: ``[..., *spatial, I]`` to ``[..., *places, O]``.

    ``kernel [*places, *window, I, O]`` says by its axes how many are spatial, 1 to 3, and
    ``bias`` is ``[*places, O]``. At place p
    ``y[p, o] = bias[p, o] + sum_ti x[p * stride + t * dilation - low, i] * kernel[p, t, i, o]``.
    Options as in ``conv``.
    Raises ValueError if shapes and options do not fit each other.

    >>> x, kernel = jnp.ones((4, 1)), jnp.arange(6.0).reshape(3, 2, 1, 1)
    >>> local_conv(x, kernel)[:, 0]
    Array([1., 5., 9.], dtype=float32)
    """
    check_prediction(x, "the input of local_conv")
    check_prediction(kernel, "the kernel of local_conv")
    axes = (kernel.ndim - 2) // 2
    if kernel.ndim % 2 or not 1 <= axes <= 3:
        raise ValueError(
            "the kernel of local_conv is [*places, *window, I, O] with 1 to 3 axes of places and "
            f"as many of the window, but is {describe(kernel)}"
        )
    *shape, inputs, features = kernel.shape
    window = sliding(x, tuple(shape[axes:]), stride, padding, dilation, "local_conv")
    places = window.places(x.shape[x.ndim - axes - 1 : -1])
    if tuple(shape[:axes]) != places or inputs != x.shape[-1]:
        raise ValueError(
            f"the kernel of local_conv is {describe(kernel)}, but the input {describe(x)} needs "
            f"{places} places and {x.shape[-1]} channels: [*places, *window, I, O]; is the input "
            "channels-last, and of the size the kernel was made for?"
        )
    check_bias(bias, (*places, features), "local_conv")
    dtype = jnp.result_type(x, kernel)
    wide = at_least_float32(x, kernel)
    flat = kernel.astype(wide).reshape(math.prod(places), -1, features)

    def at_each_place(x: jax.Array) -> jax.Array:
        columns = jnp.concatenate(window.taps(x), -1).reshape(x.shape[0], *flat.shape[:2])
        y = jnp.einsum("npk,pko->npo", columns, flat)
        return y.reshape(x.shape[0], *places, features)

    y = as_one_batch(at_each_place, x.astype(wide), axes).astype(dtype)
    return y if bias is None else y + jnp.broadcast_to(bias, y.shape)


class LocalConv(Layer):
    """A locally connected layer: ``[..., *spatial, I]`` to ``[..., *places, features]``.

    A ``Conv`` whose places share no weights, so that it knows one size of input only. Options as
    in ``Conv``; ``initializer`` draws the kernel of each place as ``Conv`` would. Leaves
    ``kernel [*places, *kernel_size, I, features]`` and, unless switched off,
    ``bias [*places, features]``.

    >>> layer = LocalConv(6, 3, stride=2)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 9, 9, 2)))
    >>> jax.tree.map(jnp.shape, params)
    {'bias': (4, 4, 6), 'kernel': (4, 4, 3, 3, 2, 6)}
    """

    features: int
    kernel_size: Sizes
    _: KW_ONLY
    stride: Sizes = 1
    padding: Padding = "VALID"
    dilation: Sizes = 1
    bias: bool = True
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        check_size(self.features, "features of LocalConv")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_float(x, "the input of LocalConv")
        size = window_size(self.kernel_size, "kernel_size of LocalConv")
        window = sliding(x, size, self.stride, self.padding, self.dilation, "LocalConv")
        places = window.places(x.shape[x.ndim - len(size) - 1 : -1])
        shape = (*size, x.shape[-1], self.features)
        kernel_init, bias_init = initializers.affine(self.initializer, math.prod(shape[:-1]))
        each = _Each(kernel_init, len(places))
        kernel = param(params, "kernel", (*places, *shape), each)
        return local_conv(
            x,
            kernel,
            param(params, "bias", (*places, self.features), bias_init) if self.bias else None,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )


@dataclasses.dataclass(frozen=True)
class _Each:
    """``init`` for each entry of the first ``axes`` axes, so that its fans are those of one."""

    init: initializers.Initializer
    axes: int

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        keys = jax.random.split(key, math.prod(shape[: self.axes]))
        kernels = jax.vmap(lambda key: self.init(key, shape[self.axes :], dtype))(keys)
        return kernels.reshape(shape)
