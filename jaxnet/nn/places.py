"""The largest elements of windows that may lie anywhere."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def largest_of(
    x: jax.Array, windows: Sequence[np.ndarray | jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """The largest elements of ``x [..., *spatial, C]``, and their positions ``[..., *places, C]``.

    ``windows`` has for each spatial axis the positions that each place holds: in NumPy ``[m, k]``,
    the same for the whole batch, else ``[..., m, k, C]``. The positions that come out count along
    the flat spatial axes. Of equal elements the first is taken, and a NaN is the largest.
    """
    axes = len(windows)
    batch = x.ndim - axes - 1
    spatial = x.shape[batch:-1]
    values = jax.lax.stop_gradient(x)
    positions = jnp.arange(math.prod(spatial), dtype=jnp.int32)
    positions = jnp.broadcast_to(positions.reshape(*(1,) * batch, *spatial, 1), x.shape)
    for axis, window in enumerate(windows, batch):
        values, positions = (_held(a, window, axis, batch) for a in (values, positions))
        hits = (values == values.max(axis + 1, keepdims=True)) | jnp.isnan(values)
        values = values.max(axis + 1)
        # The smallest position comes first on every axis; a minimum is much faster than argmax.
        positions = jnp.where(hits, positions, math.prod(spatial)).min(axis + 1)
    return _taken(axes, x, values, positions), positions


def _held(x: jax.Array, window: np.ndarray | jax.Array, axis: int, batch: int) -> jax.Array:
    """``x`` with the elements of each place, ``[m, k]``, instead of one axis."""
    if isinstance(window, np.ndarray):
        m, k = window.shape
        if m * k != x.shape[axis]:  # else the windows are the axis itself, cut in pieces
            x = jnp.take(x, window.ravel(), axis, mode="clip")
    else:
        *lead, m, k, channels = window.shape
        before, behind = (1,) * (axis - batch), (1,) * (x.ndim - axis - 2)
        at = window.reshape(*lead, *before, m * k, *behind, channels)
        x = jnp.take_along_axis(x, at, axis)
    return x.reshape(*x.shape[:axis], m, k, *x.shape[axis + 1 :])


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _taken(axes: int, x: jax.Array, values: jax.Array, positions: jax.Array) -> jax.Array:
    """``values``, which were found at flat ``positions`` of ``x``, with the gradient of that."""
    return values


@_taken.defjvp
def _(axes: int, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    (x, values, positions), (dx, *_) = primals, tangents
    batch = dx.ndim - axes - 1
    dx, at = (
        a.reshape(*a.shape[:batch], math.prod(a.shape[batch:-1]), a.shape[-1])
        for a in (dx, positions)
    )
    dy = jnp.take_along_axis(dx, at, batch).reshape(positions.shape)
    return _taken(axes, x, values, positions), dy
