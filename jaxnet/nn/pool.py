"""Pooling: the largest value or the mean of each window."""

import functools
import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_float
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.layer import Layer
from jaxnet.nn.sliding import Padding, Sizes, sliding, window_size
from jaxnet.nn.window import Window


def max_pool(
    x: jax.Array, window: Sizes, *, stride: Sizes | None = None, padding: Padding = "VALID"
) -> jax.Array:
    """The largest value of each window: ``[..., *spatial, C]`` to ``[..., *places, C]``.

    ``window`` as an int means two spatial axes; a tuple says by its length how many there are, 1
    to 3. ``stride`` is by default the window, so that windows do not overlap; ``padding`` is as in
    ``conv``, and never the largest. Integers are welcome. Where several values are the largest,
    the first takes the gradient, as in PyTorch. A window with a NaN gives NaN.
    Raises ValueError if shapes and options do not fit each other.

    >>> max_pool(jnp.array([1, 5, 2, 3])[:, None], (2,))[:, 0]
    Array([5, 3], dtype=int32)
    """
    if not jnp.issubdtype(x.dtype, jnp.integer):
        check_float(x, "the input of max_pool")
    return _pool(_max, x, _window(x, window, stride, padding, "max_pool"))


def avg_pool(
    x: jax.Array,
    window: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "VALID",
    count_include_pad: bool = True,
) -> jax.Array:
    """The mean of each window: ``[..., *spatial, C]`` to ``[..., *places, C]``.

    ``window``, ``stride`` and ``padding`` as in ``max_pool``. Padding counts as zeros, as in
    PyTorch; with ``count_include_pad=False`` it does not count at all, as in Keras.
    Raises ValueError if shapes and options do not fit each other.

    >>> avg_pool(jnp.array([1.0, 5.0, 2.0])[:, None], (2,), padding="SAME")[:, 0]
    Array([3., 1.], dtype=float32)
    """
    check_float(x, "the input of avg_pool")
    place = _window(x, window, stride, padding, "avg_pool")
    total = _pool(_sum, x.astype(at_least_float32(x)), place)
    axes = len(place.size)
    spatial = x.shape[x.ndim - axes - 1 : -1]
    if count_include_pad:
        return (total / math.prod(place.size)).astype(x.dtype)
    count = jnp.asarray(_count(place, spatial)[..., None], total.dtype)
    return (total / jnp.broadcast_to(count, total.shape)).astype(x.dtype)


class MaxPool(Layer):
    """``max_pool`` as a layer without parameters, for ``Sequential``.

    >>> MaxPool(2)({}, jnp.ones((1, 28, 28, 8))).shape
    (1, 14, 14, 8)
    """

    window: Sizes
    _: KW_ONLY
    stride: Sizes | None = None
    padding: Padding = "VALID"

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return max_pool(x, self.window, stride=self.stride, padding=self.padding)


class AvgPool(Layer):
    """``avg_pool`` as a layer without parameters, for ``Sequential``.

    >>> AvgPool((4,), stride=2)({}, jnp.ones((1, 16, 8))).shape
    (1, 7, 8)
    """

    window: Sizes
    _: KW_ONLY
    stride: Sizes | None = None
    padding: Padding = "VALID"
    count_include_pad: bool = True

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return avg_pool(
            x,
            self.window,
            stride=self.stride,
            padding=self.padding,
            count_include_pad=self.count_include_pad,
        )


def _window(x: jax.Array, window: Any, stride: Any, padding: Any, what: str) -> Window:
    size = window_size(window, f"window of {what}")
    place = sliding(x, size, size if stride is None else stride, padding, 1, what)
    if any(max(pads) >= k for pads, k in zip(place.padding, size, strict=True)):
        raise ValueError(
            f"padding of {what} is {place.padding}, but must be smaller than the window {size}, "
            "or a window would hold nothing but padding"
        )
    return place


def _pool(pool: Any, x: jax.Array, window: Window) -> jax.Array:
    batch = x.shape[: x.ndim - len(window.size) - 1]
    y = pool(x.reshape(math.prod(batch), *x.shape[len(batch) :]), window)
    return y.reshape(*batch, *y.shape[1:])


def _count(window: Window, spatial: tuple[int, ...]) -> np.ndarray:
    """How many elements of the input each window holds: ``[*places]``."""
    counts = []
    for n, m, k, s, (low, _) in zip(
        spatial, window.places(spatial), window.size, window.stride, window.padding, strict=True
    ):
        start = np.arange(m) * s - low
        counts.append(np.minimum(start + k, n) - np.maximum(start, 0))
    return functools.reduce(np.multiply.outer, counts)


def _lowest(dtype: Any) -> float:
    return jnp.iinfo(dtype).min if jnp.issubdtype(dtype, jnp.integer) else -jnp.inf


# XLA's own pooling windows have gradients that take up to a hundred times longer on CPU.
def _max_of_taps(x: jax.Array, window: Window) -> jax.Array:
    return functools.reduce(jnp.maximum, window.taps(x, _lowest(x.dtype)))


_max = jax.custom_jvp(_max_of_taps, nondiff_argnums=(1,))


@_max.defjvp
def _(window: Window, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    y = _max(x, window)
    taps = window.taps(x, _lowest(x.dtype))
    first = jnp.full(y.shape, len(taps) - 1, jnp.int32)
    for i in reversed(range(len(taps) - 1)):
        # Not "equal", so that a NaN has its place, too.
        first = jnp.where(taps[i] < y, first, i)
    # Otherwise each tap of an overlapping window would look for it anew.
    first = jax.lax.optimization_barrier(first)

    def send(tap: int, y: jax.Array, first: jax.Array) -> jax.Array:
        return jnp.where(first == tap, y, 0)

    return y, window.gather(dx, y, [first], send)


def _sum_of_taps(x: jax.Array, window: Window) -> jax.Array:
    return functools.reduce(jnp.add, window.taps(x))


_sum = jax.custom_jvp(_sum_of_taps, nondiff_argnums=(1,))


@_sum.defjvp
def _(window: Window, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    y = _sum(x, window)
    return y, window.gather(dx, y, [], lambda _, y: y)
