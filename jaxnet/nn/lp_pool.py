"""Pooling by the p-th root of a sum of p-th powers."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_real
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn.global_pool import pooled_axes
from jaxnet.nn.pool import avg_pool
from jaxnet.nn.pooling import check_options
from jaxnet.nn.sliding import Padding, Sizes, window_size


def lp_pool(
    x: jax.Array,
    p: float,
    window: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "VALID",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> jax.Array:
    """``(sum x^p)^(1/p)`` of each window: ``[..., *spatial, C]`` to ``[..., *places, C]``.

    Options as in ``max_pool``; padding is zeros. As in PyTorch the sum is the window's size times
    ``avg_pool`` of ``x^p``, so that a partial window of ``ceil_mode`` counts as a whole one, and
    signs are kept: unless p is even, a negative sum has no root, but gives NaN. For a norm, as
    ONNX has it, give ``jnp.abs(x)``. A sum of 0 has the gradient 0.
    Raises ValueError if p is below 1, or if shapes and options do not fit each other.

    >>> lp_pool(jnp.array([3.0, 4.0, 0.0, 1.0])[:, None], 2, (2,))[:, 0]
    Array([5., 1.], dtype=float32)
    """
    check_power(p, "lp_pool")
    check_real(x, "the input of lp_pool")
    taps = math.prod(window_size(window, "window of lp_pool"))
    mean = avg_pool(
        x.astype(at_least_float32(x)) ** p,
        window,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    )
    return _root(mean * taps, p).astype(x.dtype)


def global_lp_pool(x: jax.Array, p: float, axes: int = 2, *, keepdims: bool = False) -> jax.Array:
    """The p-norm ``(sum |x|^p)^(1/p)`` of each channel: ``[..., *spatial, C]`` to ``[..., C]``.

    The last ``axes`` axes before the channels are spatial; ``keepdims`` leaves each as 1. The
    norm is ONNX's GlobalLpPool; it has the gradient 0 where all is 0.
    Raises ValueError if p is below 1, or if ``x`` lacks these axes or anything on them.

    >>> global_lp_pool(jnp.array([3.0, -4.0])[:, None], 2, axes=1)
    Array([5.], dtype=float32)
    """
    check_power(p, "global_lp_pool")
    spatial = pooled_axes(x, axes, "global_lp_pool")
    powers = jnp.abs(x.astype(at_least_float32(x))) ** p
    return _root(powers.sum(spatial, keepdims=keepdims), p).astype(x.dtype)


class LpPool(Layer):
    """``lp_pool`` as a layer without parameters, for ``Sequential``.

    >>> LpPool(2, 2)({}, jnp.ones((1, 28, 28, 8))).shape
    (1, 14, 14, 8)
    """

    p: float
    window: Sizes
    _: KW_ONLY
    stride: Sizes | None = None
    padding: Padding = "VALID"
    dilation: Sizes = 1
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_power(self.p, "LpPool")
        check_options(self)

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return lp_pool(
            x,
            self.p,
            self.window,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )


def check_power(p: Any, what: str) -> None:
    """Raise unless ``p`` is a finite number of at least 1, so that gradients are finite."""
    if not isinstance(p, int | float) or isinstance(p, bool) or not 1 <= p < math.inf:
        raise ValueError(
            f"p of {what} must be a number of at least 1, but is {describe(p)}; "
            "p=2 is the Euclidean norm, and for the largest value use max pooling"
        )


def _root(total: jax.Array, p: float) -> jax.Array:
    root = jnp.where(total == 0, 1, total) ** (1 / p)
    return jnp.where(total == 0, 0, root)
