"""Windows of pooling: where they stop, what they hold, and their sums and maxima.

XLA's own pooling windows have gradients that take up to a hundred times longer on CPU; these are
made of the slices of ``Window``.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.nn.sliding import pads_of, per_axis, sliding, spatial_of, window_size
from jaxnet.nn.window import Ints, Window


def pool_window(
    x: jax.Array,
    window: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    what: str,
) -> tuple[Window, list[np.ndarray], Ints]:
    """The window, the positions that it holds on each axis, and the ends of the padded axes.

    Positions ``[places, k]`` count in the input: in padding they are negative or too large. With
    ``ceil_mode`` a remainder gets a place, too, unless that would begin behind the input; then the
    window's own padding is longer than what was asked for, which ends at ``ends``.
    """
    size = window_size(window, f"window of {what}")
    axes = len(size)
    spatial = spatial_of(x, axes, what)
    stride = per_axis(size if stride is None else stride, axes, f"stride of {what}")
    dilation = per_axis(dilation, axes, f"dilation of {what}")
    span = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    pads = pads_of(padding, spatial, span, stride, what)
    ends = tuple(n + high for n, (_, high) in zip(spatial, pads, strict=True))
    if ceil_mode:
        pads = tuple(map(_ceiled, spatial, span, stride, pads))
    place = sliding(x, size, stride, pads, dilation, what)
    held = [
        np.arange(m)[:, None] * s - low + np.arange(k) * d
        for m, k, s, (low, _), d in zip(place.places(spatial), *place, strict=True)
    ]
    if not all(inside(at, 0, n).any(1).all() for at, n in zip(held, spatial, strict=True)):
        raise ValueError(
            f"padding of {what} is {padding!r}, but must be smaller than the window {size}, "
            "or a window would hold nothing but padding"
        )
    return place, held, ends


def _ceiled(n: int, k: int, s: int, pads: tuple[int, int]) -> tuple[int, int]:
    low, high = pads
    last = -(-(n + low + high - k) // s) * s
    if last >= n + low:
        last -= s
    return low, max(high, last + k - n - low)


def check_options(layer: Any) -> None:
    """Raise unless a layer's window, stride, dilation and padding are for the same axes."""
    name = type(layer).__name__
    size = window_size(layer.window, f"window of {name}")
    axes = len(size)
    per_axis(size if layer.stride is None else layer.stride, axes, f"stride of {name}")
    per_axis(layer.dilation, axes, f"dilation of {name}")
    pads_of(layer.padding, size, size, size, name)


def inside(positions: np.ndarray, start: int, end: int) -> np.ndarray:
    """Which positions are at least ``start`` and before ``end``."""
    return (start <= positions) & (positions < end)


def count(held: list[np.ndarray], starts: Ints, ends: Ints) -> np.ndarray:
    """How many elements from ``starts`` up to ``ends`` each window holds: ``[*places]``."""
    counts = (inside(*one).sum(1) for one in zip(held, starts, ends, strict=True))
    return functools.reduce(np.multiply.outer, counts)


def max_of(x: jax.Array, window: Window) -> jax.Array:
    """The largest value of each window."""
    return functools.reduce(_max, _quick(window), x)


def sum_of(x: jax.Array, window: Window) -> jax.Array:
    """The sum of each window."""
    return functools.reduce(_sum, _quick(window), x)


def position_of(x: jax.Array, window: Window) -> jax.Array:
    """Where ``max_of`` is found first, counted along the flat axes of ``x [N, *spatial, C]``."""
    spatial = x.shape[1:-1]
    elements = math.prod(spatial)
    found = jnp.arange(elements, dtype=jnp.int32).reshape(1, *spatial, 1)
    for part in _quick(window):
        y = _max(x, part)
        taps = zip(part.taps(x, _lowest(x.dtype)), part.taps(found, elements), strict=True)
        hits = [jnp.where(_is_largest(tap, y), at, elements) for tap, at in taps]
        x, found = y, functools.reduce(jnp.minimum, hits)
    return found


def _quick(window: Window) -> list[Window]:
    """The same window at once, or axis after axis: many taps compile slowly."""
    axes = len(window.size)
    if math.prod(window.size) <= 32:
        return [window]
    still = Window((1,) * axes, (1,) * axes, ((0, 0),) * axes, (1,) * axes)
    # The last comes first: then the first largest row holds the first largest element.
    return [
        still.part(slice(i))
        .beside(window.part(slice(i, i + 1)))
        .beside(still.part(slice(i + 1, axes)))
        for i in reversed(range(axes))
    ]


def _lowest(dtype: Any) -> float:
    return jnp.iinfo(dtype).min if jnp.issubdtype(dtype, jnp.integer) else -jnp.inf


def _is_largest(tap: jax.Array, y: jax.Array) -> jax.Array:
    return (tap == y) | jnp.isnan(tap)


def _max_of_taps(x: jax.Array, window: Window) -> jax.Array:
    return functools.reduce(jnp.maximum, window.taps(x, _lowest(x.dtype)))


_max = jax.custom_jvp(_max_of_taps, nondiff_argnums=(1,))


@_max.defjvp
def _(window: Window, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    y = _max(x, window)
    lowest = _lowest(x.dtype)
    first = _first([_is_largest(tap, y) for tap in window.taps(x, lowest)])
    if any(map(any, window.padding)):
        # Padding must not be found where the input itself is the lowest number.
        real = _first(window.taps(jnp.ones((1, *x.shape[1:-1], 1), bool)))
        first = jnp.where(y == lowest, real, first)
    # Otherwise each tap of an overlapping window would look for it anew.
    first = jax.lax.optimization_barrier(first)

    def send(tap: int, y: jax.Array, first: jax.Array) -> jax.Array:
        return jnp.where(first == tap, y, 0)

    return y, window.gather(dx, y, [first], send)


def _first(hits: list[jax.Array]) -> jax.Array:
    """The number of the first that is True."""
    first = jnp.full(hits[0].shape, len(hits) - 1, jnp.int32)
    for tap in reversed(range(len(hits) - 1)):
        first = jnp.where(hits[tap], tap, first)
    return first


def _sum_of_taps(x: jax.Array, window: Window) -> jax.Array:
    return functools.reduce(jnp.add, window.taps(x))


_sum = jax.custom_jvp(_sum_of_taps, nondiff_argnums=(1,))


@_sum.defjvp
def _(window: Window, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    y = _sum(x, window)
    return y, window.gather(dx, y, [], lambda _, y: y)
