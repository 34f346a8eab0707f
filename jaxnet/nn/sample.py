"""Sampling between the elements of an image at any points, and grids of such points."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_choice, check_float
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.nn.sliding import Sizes, window_size

_MODES = ("nearest", "linear", "cubic")
_PADDINGS = ("zeros", "border", "reflection")


def grid_sample(
    x: jax.Array,
    grid: jax.Array,
    *,
    mode: str = "linear",
    padding: str = "zeros",
    align_corners: bool = False,
) -> jax.Array:
    """Sees ``x`` at points: ``[..., *spatial, C], [..., *points, d] -> [..., *points, C]``.

    The last axis of ``grid`` has d coordinates a point, for d = 1 to 3 spatial axes, the last axis
    first as in PyTorch: ``(x, y)`` for ``[..., H, W, C]``, ``(x, y, z)`` for ``[..., D, H, W, C]``.
    From -1 to 1 they go over the whole image: from edge to edge of its elements, or with
    ``align_corners=True`` from the centre of the first to that of the last. Batch axes are equal,
    and there may be any number of axes of points.
    ``mode`` is ``"linear"`` (bilinear, trilinear), ``"nearest"`` (half to even) or ``"cubic"``
    (coefficient -0.75). ``padding`` says what lies outside: ``"zeros"``, the ``"border"``'s
    element, or the image's ``"reflection"``.
    Raises ValueError if shapes and options do not fit each other.

    >>> x = jnp.array([0.0, 2.0, 4.0])[:, None]
    >>> grid_sample(x, jnp.array([[0.0], [0.5]]), align_corners=True)[:, 0]
    Array([2., 3.], dtype=float32)
    """
    check_float(x, "the input of grid_sample")
    check_float(grid, "the grid of grid_sample")
    check_choice(mode, _MODES, "mode", "grid_sample")
    check_choice(padding, _PADDINGS, "padding", "grid_sample")
    axes = grid.shape[-1] if grid.ndim else 0
    batch = x.shape[: max(x.ndim - axes - 1, 0)]
    if not 1 <= axes <= 3 or x.ndim <= axes or grid.shape[: len(batch)] != batch:
        raise ValueError(
            f"grid_sample needs an input [..., *spatial, C] and a grid [..., *points, d] of 1 to 3 "
            f"coordinates, one a spatial axis, with the same batch axes before, but was given "
            f"{describe(x)} and {describe(grid)}; is the input channels-last?"
        )
    spatial, points = x.shape[len(batch) : -1], grid.shape[len(batch) : -1]
    if not all(spatial):
        raise ValueError(f"grid_sample has nothing to look up in the input {describe(x)}")
    dtype = at_least_float32(x, grid)
    count, pixels = math.prod(points), math.prod(spatial)
    at = grid.astype(dtype).reshape(*batch, count, axes)
    # Each axis has its taps; each tap of the image is one of their products.
    index = jnp.zeros((*batch, count, 1), jnp.int32)
    weight = jnp.ones((*batch, count, 1), dtype)
    for axis, n in enumerate(spatial):
        place, share = _taps(at[..., axes - 1 - axis], n, mode, padding, align_corners)
        index = _product(index * n, place, jnp.add)
        weight = _product(weight, share, jnp.multiply)
    flat = x.astype(dtype).reshape(math.prod(batch), pixels, x.shape[-1])
    rows = index.reshape(math.prod(batch), count * index.shape[-1])
    found = jax.vmap(lambda x, i: x.at[i].get(mode="promise_in_bounds"))(flat, rows)
    found = found.reshape(*weight.shape, x.shape[-1])  # [..., points, taps, C]
    y = (found * jnp.broadcast_to(weight[..., None], found.shape)).sum(-2)
    return y.reshape(*batch, *points, x.shape[-1]).astype(x.dtype)


def affine_grid(theta: jax.Array, size: Sizes, *, align_corners: bool = False) -> jax.Array:
    """The grid by which ``grid_sample`` maps an image: ``[..., d, d + 1] -> [..., *size, d]``.

    Row i of ``theta`` gives coordinate i of a point, of ``(x, y, 1)`` or ``(x, y, z, 1)`` in the
    output, which has the 1 to 3 axes of ``size``; an int means the two axes of an image.
    ``align_corners`` as in ``grid_sample``: give both the same.
    Raises ValueError if ``theta`` does not fit ``size``.

    >>> affine_grid(jnp.eye(2, 3), 2, align_corners=True)[0]
    Array([[-1., -1.],
           [ 1., -1.]], dtype=float32)
    """
    check_float(theta, "theta of affine_grid")
    size = window_size(size, "size of affine_grid")
    axes = len(size)
    if theta.shape[-2:] != (axes, axes + 1):
        raise ValueError(
            f"theta of affine_grid must be [..., {axes}, {axes + 1}] for the {axes} axes of "
            f"size={size}, but is {describe(theta)}; give size without batch and channels"
        )
    dtype = at_least_float32(theta)
    wide = theta.astype(dtype)
    grid = jnp.broadcast_to(
        wide[..., axes].reshape(*theta.shape[:-2], *(1,) * axes, axes),
        (*theta.shape[:-2], *size, axes),
    )
    for axis, n in enumerate(size):
        centres = jnp.linspace(-1, 1, n, dtype=dtype) if n > 1 else jnp.zeros(1, dtype)
        if not align_corners:
            centres = centres * ((n - 1) / n)
        column = wide[..., axes - 1 - axis].reshape(*theta.shape[:-2], *(1,) * axes, axes)
        line = centres.reshape(*(n if i == axis else 1 for i in range(axes)), 1)
        line = jnp.broadcast_to(line, grid.shape)
        grid = grid + line * jnp.broadcast_to(column, grid.shape)
    return grid.astype(theta.dtype)


def _taps(
    at: jax.Array, n: int, mode: str, padding: str, align_corners: bool
) -> tuple[jax.Array, jax.Array]:
    """Which of n elements a coordinate sees on one axis, and their weights: ``[..., taps]``."""
    at = (at + 1) * ((n - 1) / 2) if align_corners else ((at + 1) * n - 1) / 2
    inside = functools.partial(_inside, n=n, padding=padding, align_corners=align_corners)
    if mode == "cubic":
        # The taps are brought inside, not the point.
        low = jnp.floor(at)
        t = at - jax.lax.stop_gradient(low)
        share = jnp.stack([_far(t + 1), _near(t), _near(1 - t), _far(2 - t)], -1)
        place = inside(jnp.stack([low + i for i in (-1, 0, 1, 2)], -1))
    else:
        at = inside(at)
        low = jnp.round(at) if mode == "nearest" else jnp.floor(at)
        t = at - jax.lax.stop_gradient(low)
        linear = mode == "linear"
        share = jnp.stack([1 - t, t], -1) if linear else jnp.ones_like(at)[..., None]
        place = jnp.stack([low, low + 1], -1) if linear else low[..., None]
    place = jax.lax.stop_gradient(place)
    share = jnp.where((place >= 0) & (place <= n - 1), share, 0)
    return jnp.clip(place, 0, n - 1).astype(jnp.int32), share


def _inside(at: jax.Array, n: int, padding: str, align_corners: bool) -> jax.Array:
    """Positions as the padding sees them, from 0 to n - 1 unless it is zeros."""
    if padding == "zeros":
        return at
    if padding == "reflection":
        # Mirrored at the outer elements' centres, or at their edges.
        low, span = (0.0, n - 1.0) if align_corners else (-0.5, float(n))
        if span == 0:
            return jnp.zeros_like(at)
        far = at - low
        far = jnp.where(far < 0, -far, far)
        turns = jax.lax.stop_gradient(jnp.floor(far / span))
        rest = far - turns * span
        at = jnp.where(turns % 2 == 0, rest, span - rest) + low
    # Unlike jnp.clip, with a gradient of zero at the border itself.
    return jax.lax.clamp(jnp.zeros((), at.dtype), at, jnp.asarray(n - 1, at.dtype))


def _near(t: jax.Array, a: float = -0.75) -> jax.Array:
    """The cubic's weight at a distance of up to 1."""
    return ((a + 2) * t - (a + 3)) * t * t + 1


def _far(t: jax.Array, a: float = -0.75) -> jax.Array:
    """The cubic's weight at a distance of 1 to 2."""
    return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a


def _product(a: jax.Array, b: jax.Array, merge: Any) -> jax.Array:
    """Every element of the last axis of ``a`` with every one of ``b``."""
    shape = (*a.shape, b.shape[-1])
    both = merge(jnp.broadcast_to(a[..., None], shape), jnp.broadcast_to(b[..., None, :], shape))
    return both.reshape(*a.shape[:-1], -1)
