"""The linear map ``y = x W + b`` on the last axis, or on several."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_axes, check_float, check_size
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers
from jaxnet.nn.matmul import matmul


def linear(
    x: jax.Array, kernel: jax.Array, bias: jax.Array | None = None, *, axes: int = 1
) -> jax.Array:
    """``x @ kernel + bias`` on the last axis: ``[..., I], [I, O], [O] -> [..., O]``.

    With ``axes`` the last ones of ``x`` and the first ones of ``kernel`` are contracted; what the
    kernel has after them are the axes of the features, as in ``[..., H, K], [H, K, O] -> [..., O]``
    or, with one axis, ``[..., I], [I, H, K] -> [..., H, K]``.
    Raises ValueError if the shapes do not fit each other.

    >>> linear(jnp.ones((2, 3)), jnp.ones((3, 4)), jnp.ones(4)).shape
    (2, 4)
    """
    check_size(axes, "axes of linear")
    inputs, features = kernel.shape[:axes], kernel.shape[axes:]
    if not features or x.shape[x.ndim - axes :] != inputs:
        raise ValueError(
            f"linear contracts the last axes of x with the first of the kernel, {axes} of them, "
            f"and the kernel has its features after them, but x is {describe(x)} and the kernel "
            f"{describe(kernel)}"
        )
    if bias is not None and bias.shape != features:
        raise ValueError(
            f"the bias of linear must have the shape {features}, one value a feature, but is "
            f"{describe(bias)}"
        )
    # With leading axes XLA's kernel gradient contracts several axes and copies: one is faster.
    batch = x.shape[: x.ndim - axes]
    rows = (math.prod(batch),) if batch else ()
    matrix = kernel.reshape(math.prod(inputs), math.prod(features))
    y = matmul(x.reshape(*rows, matrix.shape[0]), matrix)
    if bias is not None:
        y = y + jnp.broadcast_to(bias.reshape(matrix.shape[1]), y.shape)
    return y.reshape(*batch, *features)


class Linear(Layer):
    """A dense layer: ``[..., I] -> [..., features]``.

    Leaves ``kernel [I, features]`` and, unless switched off, ``bias [features]``. ``features`` may
    be a tuple, such as ``(heads, size)``, for several axes of them, and the last ``axes`` axes of
    the input are contracted; the kernel has first those and then the features. ``initializer`` is a
    preset (``"torch"``, ``"keras"``, ``"flax"``) or the kernel's, with a bias of zeros; it draws
    the kernel as a matrix.

    >>> layer = Linear(4)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 3)))
    >>> layer(params, jnp.ones((2, 5, 3))).shape
    (2, 5, 4)
    """

    features: int | tuple[int, ...]
    _: KW_ONLY
    axes: int = 1
    bias: bool = True
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        features = self.features if isinstance(self.features, tuple) else (self.features,)
        for size in features or (features,):
            check_size(size, "features of Linear")
        check_size(self.axes, "axes of Linear")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_float(x, "the input of Linear")
        check_axes(x, self.axes, "the input of Linear")
        features = (self.features,) if isinstance(self.features, int) else self.features
        inputs = x.shape[x.ndim - self.axes :]
        fan_in = math.prod(inputs)
        kernel_init, bias_init = initializers.affine(self.initializer, fan_in)
        if len(inputs) + len(features) > 2:
            kernel_init = initializers.Flat(kernel_init, fan_in)
        kernel = param(params, "kernel", (*inputs, *features), kernel_init)
        bias = param(params, "bias", features, bias_init) if self.bias else None
        return linear(x, kernel, bias, axes=self.axes)
