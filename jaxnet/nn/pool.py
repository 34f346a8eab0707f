"""Pooling: the largest value, the mean or the p-norm of each window."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_real, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.layer import Layer
from jaxnet.nn.pooling import (
    check_options,
    count,
    max_of,
    pool_window,
    position_of,
    sum_of,
)
from jaxnet.nn.sliding import Padding, Sizes
from jaxnet.nn.window import as_one_batch


def max_pool(
    x: jax.Array,
    window: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "VALID",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> jax.Array:
    """The largest value of each window: ``[..., *spatial, C]`` to ``[..., *places, C]``.

    ``window`` as an int means two spatial axes; a tuple says by its length how many there are, 1
    to 3. ``stride`` is by default the window, so that windows do not overlap; ``padding`` and
    ``dilation`` are as in ``conv``, and padding is never the largest. With ``ceil_mode`` what a
    last whole window leaves over gets a window, too, if that begins before the input ends.
    Integers are welcome. Where several values are the largest, the first takes the gradient, as
    in PyTorch. A window with a NaN gives NaN.
    Raises ValueError if shapes and options do not fit each other.

    >>> max_pool(jnp.array([1, 5, 2, 3])[:, None], (2,))[:, 0]
    Array([5, 3], dtype=int32)
    """
    check_real(x, "the input of max_pool", integers=True)
    place, _, _ = pool_window(x, window, stride, padding, dilation, ceil_mode, "max_pool")
    return as_one_batch(lambda x: max_of(x, place), x, len(place.size))


def max_pool_with_indices(
    x: jax.Array,
    window: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "VALID",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """``max_pool``, and where in the input each value lies: both ``[..., *places, C]``.

    The indices, int32, count the positions of the spatial axes in row-major order, as PyTorch
    does: ``row * W + column`` in an image. ``max_unpool`` puts values back there.
    Raises ValueError as ``max_pool``.

    >>> max_pool_with_indices(jnp.array([1, 5, 2, 3])[:, None], (2,))[1][:, 0]
    Array([1, 3], dtype=int32)
    """
    what = "max_pool_with_indices"
    check_real(x, f"the input of {what}", integers=True)
    place, _, _ = pool_window(x, window, stride, padding, dilation, ceil_mode, what)
    axes = len(place.size)
    y = as_one_batch(lambda x: max_of(x, place), x, axes)
    return y, as_one_batch(lambda x: position_of(x, place), jax.lax.stop_gradient(x), axes)


def avg_pool(
    x: jax.Array,
    window: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "VALID",
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> jax.Array:
    """The mean of each window: ``[..., *spatial, C]`` to ``[..., *places, C]``.

    Options as in ``max_pool``. Padding counts as zeros, as in PyTorch; with
    ``count_include_pad=False`` it does not count at all, as in Keras. What a window of
    ``ceil_mode`` holds behind the padding never counts. With a ``divisor`` the sum of each window
    is divided by that, whatever it holds.
    Raises ValueError if shapes and options do not fit each other.

    >>> avg_pool(jnp.array([1.0, 5.0, 2.0])[:, None], (2,), padding="SAME")[:, 0]
    Array([3., 1.], dtype=float32)
    """
    check_real(x, "the input of avg_pool")
    if divisor is not None:
        check_size(divisor, "divisor of avg_pool")
    place, held, ends = pool_window(x, window, stride, padding, dilation, ceil_mode, "avg_pool")
    axes = len(place.size)
    total = as_one_batch(lambda x: sum_of(x, place), x.astype(at_least_float32(x)), axes)
    if divisor is not None:
        return (total / divisor).astype(x.dtype)
    starts = tuple(-low for low, _ in place.padding)
    if not count_include_pad:
        starts, ends = (0,) * axes, x.shape[-axes - 1 : -1]
    counts = jnp.asarray(count(held, starts, ends)[..., None], total.dtype)
    return (total / jnp.broadcast_to(counts, total.shape)).astype(x.dtype)


class MaxPool(Layer):
    """``max_pool`` as a layer without parameters, for ``Sequential``.

    >>> MaxPool(2)({}, jnp.ones((1, 28, 28, 8))).shape
    (1, 14, 14, 8)
    """

    window: Sizes
    _: KW_ONLY
    stride: Sizes | None = None
    padding: Padding = "VALID"
    dilation: Sizes = 1
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return max_pool(
            x,
            self.window,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )


class AvgPool(Layer):
    """``avg_pool`` as a layer without parameters, for ``Sequential``.

    >>> AvgPool((4,), stride=2)({}, jnp.ones((1, 16, 8))).shape
    (1, 7, 8)
    """

    window: Sizes
    _: KW_ONLY
    stride: Sizes | None = None
    padding: Padding = "VALID"
    dilation: Sizes = 1
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        if self.divisor is not None:
            check_size(self.divisor, "divisor of AvgPool")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return avg_pool(
            x,
            self.window,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
            divisor=self.divisor,
        )
