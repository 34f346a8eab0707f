"""A map of two inputs that is linear in each."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_axes, check_float, check_size
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers
from jaxnet.nn.linear import linear


def bilinear(
    x: jax.Array, y: jax.Array, kernel: jax.Array, bias: jax.Array | None = None
) -> jax.Array:
    """``sum_ij x_i y_j kernel_ijo + bias_o``: ``[..., I], [..., J], [I, J, O] -> [..., O]``.

    Raises ValueError unless ``x`` and ``y`` have the same batch axes, and their features the
    kernel's sizes.

    >>> bilinear(jax.numpy.ones((2, 3)), jax.numpy.ones((2, 4)), jax.numpy.ones((3, 4, 5))).shape
    (2, 5)
    """
    _check_pair(x, y, "bilinear")
    if kernel.ndim != 3 or kernel.shape[:2] != (x.shape[-1], y.shape[-1]):
        raise ValueError(
            f"the kernel of bilinear must be [{x.shape[-1]}, {y.shape[-1]}, features], for inputs "
            f"{describe(x)} and {describe(y)}, but is {describe(kernel)}"
        )
    return linear(x[..., :, None] * y[..., None, :], kernel, bias, axes=2)


class Bilinear(Layer):
    """A learnt bilinear map: ``[..., I], [..., J] -> [..., features]``.

    Leaves ``kernel [I, J, features]`` and, unless switched off, ``bias [features]``.
    ``initializer`` is a preset (``"torch"``: both uniform within ``1/sqrt(I)``; ``"keras"``,
    ``"flax"``) or the kernel's, with a bias of zeros.

    >>> layer = Bilinear(5)
    >>> params = layer.init(jax.random.key(0), jax.numpy.zeros((1, 3)), jax.numpy.zeros((1, 4)))
    >>> layer(params, jax.numpy.ones((2, 3)), jax.numpy.ones((2, 4))).shape
    (2, 5)
    """

    features: int
    _: KW_ONLY
    bias: bool = True
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.features, "features of Bilinear")

    def __call__(
        self, params: Any, x: jax.Array, y: jax.Array, *, key: jax.Array | None = None
    ) -> jax.Array:
        _check_pair(x, y, "Bilinear")
        sizes = (x.shape[-1], y.shape[-1])
        kernel_init, bias_init = initializers.affine(self.initializer, sizes[0])
        kernel_init = initializers.Flat(kernel_init, math.prod(sizes))
        kernel = param(params, "kernel", (*sizes, self.features), kernel_init)
        bias = param(params, "bias", (self.features,), bias_init) if self.bias else None
        return bilinear(x, y, kernel, bias)


def _check_pair(x: jax.Array, y: jax.Array, what: str) -> None:
    for array, name in ((x, "x"), (y, "y")):
        check_float(array, f"{name} of {what}")
        check_axes(array, 1, f"{name} of {what}")
    if x.shape[:-1] != y.shape[:-1]:
        raise ValueError(
            f"x and y of {what} must have the same batch axes, but are {describe(x)} and "
            f"{describe(y)}; give both with jnp.broadcast_to"
        )
