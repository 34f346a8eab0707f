"""Windows as columns, and columns added up in their windows' places."""

import math

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_float
from jaxnet.core.errors import describe
from jaxnet.nn.sliding import Padding, Sizes, per_axis, sliding, window_size
from jaxnet.nn.window import as_one_batch


def unfold(
    x: jax.Array,
    window: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "VALID",
    dilation: Sizes = 1,
) -> jax.Array:
    """What each window sees, as one column: ``[..., *spatial, C]`` to ``[..., *places, C * taps]``.

    ``window`` as an int means two spatial axes; a tuple says by its length how many there are, 1
    to 3. The other options are as in ``conv``, zeros stand in the padding. As in PyTorch a column
    has all taps of the first channel, then all of the second: its ``[N, C * taps, L]`` is
    ``columns.reshape(N, L, C * taps).swapaxes(1, 2)``. The transpose of this map is ``fold``.
    Raises ValueError if shapes and options do not fit each other.

    >>> unfold(jnp.arange(4.0)[:, None], (2,))
    Array([[0., 1.],
           [1., 2.],
           [2., 3.]], dtype=float32)
    """
    check_float(x, "the input of unfold")
    size = window_size(window, "window of unfold")
    place = sliding(x, size, stride, padding, dilation, "unfold")

    def columns(x: jax.Array) -> jax.Array:
        taps = jnp.stack(place.taps(x), -1)  # [N, *places, C, taps]
        return taps.reshape(*taps.shape[:-2], -1)

    return as_one_batch(columns, x, len(size))


def fold(
    columns: jax.Array,
    size: Sizes,
    window: Sizes,
    *,
    stride: Sizes = 1,
    padding: Padding = "VALID",
    dilation: Sizes = 1,
) -> jax.Array:
    """Adds columns up where their windows lie: ``[..., *places, C * taps]`` to ``[..., *size, C]``.

    ``size`` is that of the spatial axes; the other options are those of the ``unfold`` of which
    this is the transpose. So ``fold(unfold(x))`` counts each entry as often as a window sees it.
    PyTorch's columns ``[N, C * taps, L]`` become ours by ``swapaxes(1, 2)`` and ``reshape(N,
    *places, C * taps)``.
    Raises ValueError if shapes and options do not fit each other.

    >>> fold(jnp.ones((3, 2)), (4,), (2,))[:, 0]
    Array([1., 2., 2., 1.], dtype=float32)
    """
    check_float(columns, "the columns of fold")
    shape = window_size(window, "window of fold")
    axes, taps = len(shape), math.prod(shape)
    spatial = per_axis(size, axes, "size of fold")
    check_axes(columns, axes + 1, "the columns of fold")
    if columns.shape[-1] % taps:
        raise ValueError(
            f"the columns of fold are {describe(columns)}, but the last axis must be C * {taps}, "
            f"{taps} taps a channel for the window {shape}; is the last axis that of the columns?"
        )
    whole = jax.ShapeDtypeStruct((*spatial, columns.shape[-1] // taps), columns.dtype)
    place = sliding(whole, shape, stride, padding, dilation, "fold")
    places = place.places(spatial)
    if columns.shape[-axes - 1 : -1] != places:
        raise ValueError(
            f"the columns of fold are {describe(columns)}, but size={spatial} has {places} places "
            "of the window; give stride, padding and dilation as unfold had them"
        )

    def add(columns: jax.Array) -> jax.Array:
        columns = columns.reshape(*columns.shape[:-1], -1, taps)
        parts = [columns[..., tap] for tap in range(taps)]
        return place.spread(spatial, parts, lambda tap, *parts: parts[tap])

    return as_one_batch(add, columns, axes)
