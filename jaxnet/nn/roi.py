"""Regions of interest: what lies in each box of an image, brought to one size."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_float, check_positive, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.nn.sliding import Sizes, spatial_of, window_size


def roi_align(
    x: jax.Array,
    boxes: jax.Array,
    size: Sizes,
    *,
    scale: float = 1.0,
    samples: int | None = None,
    aligned: bool = False,
) -> jax.Array:
    """The mean in each bin of each box: ``[..., H, W, C], [..., K, 4] -> [..., K, *size, C]``.

    A box is ``(x1, y1, x2, y2)``, times ``scale`` in pixels of ``x``, and lies in the image with
    its batch axes (arXiv:1703.06870). Each bin has ``samples`` points an axis, by default one for
    each pixel of its length; between pixels they are bilinear, from one pixel outside on zero.
    ``aligned=True`` takes off half a pixel, so that integers lie at pixels' corners; without it a
    box is at least one pixel long. As in torchvision boxes take no gradient.
    Raises ValueError if shapes and options do not fit each other.

    >>> roi_align(jnp.ones((8, 8, 3)), jnp.array([[0.0, 0.0, 4.0, 6.0]]), 2).shape
    (1, 2, 2, 3)
    """
    bins = _check(x, boxes, size, scale, "roi_align")
    if samples is not None:
        check_size(samples, "samples of roi_align")
    dtype = at_least_float32(x, boxes)
    corners = jax.lax.stop_gradient(boxes).astype(dtype) * scale - (0.5 if aligned else 0.0)
    y = x.astype(dtype)
    rows, columns = (
        _bilinear(corners[..., axis], corners[..., axis + 2], n, m, samples, aligned)
        for axis, n, m in ((1, x.shape[-3], bins[0]), (0, x.shape[-2], bins[1]))
    )
    exact = jax.lax.Precision.HIGHEST
    y = jnp.einsum("...kph,...hwc->...kpwc", rows, y, precision=exact)
    return jnp.einsum("...kqw,...kpwc->...kpqc", columns, y, precision=exact).astype(x.dtype)


def roi_pool(x: jax.Array, boxes: jax.Array, size: Sizes, *, scale: float = 1.0) -> jax.Array:
    """The largest value in each of ``size`` bins of each box, with shapes as in ``roi_align``.

    Boxes times ``scale`` are rounded to whole pixels, with the last one inside, and bins to whole
    pixels outwards, so that they may overlap (arXiv:1504.08083). An empty bin is zero. Of several
    largest values the first takes the gradient; boxes take none.
    Raises ValueError if shapes and options do not fit each other.

    >>> x = jnp.arange(16.0).reshape(4, 4, 1)
    >>> roi_pool(x, jnp.array([[0.0, 0.0, 3.0, 3.0]]), 2)[0, ..., 0]
    Array([[ 5.,  7.],
           [13., 15.]], dtype=float32)
    """
    bins = _check(x, boxes, size, scale, "roi_pool")
    corners = boxes.astype(at_least_float32(boxes)) * scale
    corners = jnp.trunc(corners + jnp.copysign(0.5, corners))  # half away from zero
    columns, rows = (
        _whole(corners[..., axis], corners[..., axis + 2], n, m)
        for axis, n, m in ((0, x.shape[-2], bins[1]), (1, x.shape[-3], bins[0]))
    )
    # First along the rows of pixels, which all boxes share, then down the columns.
    lines = jnp.broadcast_to(
        columns[..., None, :, :], (*columns.shape[:-2], x.shape[-3], *columns.shape[-2:])
    )
    y = _largest(jnp.broadcast_to(x[..., None, :, :, :], (*lines.shape[:-2], *x.shape[-2:])), lines)
    y = y.swapaxes(-2, -3)  # [..., K, q, H, C]
    stacks = jnp.broadcast_to(rows[..., None, :, :], (*y.shape[:-2], *rows.shape[-2:]))
    return _largest(y, stacks).swapaxes(-2, -3)


def _check(x: Any, boxes: Any, size: Any, scale: Any, what: str) -> tuple[int, ...]:
    check_float(x, f"the input of {what}")
    check_float(boxes, f"the boxes of {what}")
    check_positive(scale, f"scale of {what}")
    bins = window_size(size, f"size of {what}")
    spatial = spatial_of(x, 2, what)
    if len(bins) != 2 or not all(spatial):
        raise ValueError(
            f"{what} has boxes of two axes, but was given size={size!r} and the input "
            f"{describe(x)}; give a size of two ints and an image that is not empty"
        )
    if boxes.shape[-1:] != (4,) or boxes.shape[:-2] != x.shape[:-3] or boxes.ndim < 2:
        raise ValueError(
            f"boxes of {what} must be [..., K, 4] with the batch axes of the input "
            f"{describe(x)}, but is {describe(boxes)}; give each image its own boxes (for boxes "
            "with an image's number: x[numbers], boxes[:, None])"
        )
    return bins


def _bilinear(
    start: jax.Array, end: jax.Array, n: int, m: int, samples: int | None, aligned: bool
) -> jax.Array:
    """How much each of n pixels of an axis weighs in each of m bins of a box: ``[..., m, n]``."""

    def weights(start: jax.Array, end: jax.Array) -> jax.Array:
        dtype = start.dtype
        length = (end - start if aligned else jnp.maximum(end - start, 1)) / m
        bins = jnp.arange(m, dtype=dtype).reshape(m, 1, 1)
        pixels = jnp.arange(n, dtype=dtype).reshape(1, n, 1)
        if samples is None:
            count = jnp.ceil(length)
            step = length / jnp.maximum(count, 1)
            # Points are more than half a pixel apart, so that a pixel sees at most four of them.
            near = jnp.ceil(
                (pixels - 1 - start - bins * length) / jnp.where(step > 0, step, 1) - 0.5
            )
            near = jnp.clip(near, 0, jnp.maximum(count - 4, 0))
            point = near + jnp.arange(4, dtype=dtype).reshape(1, 1, 4)
        else:
            count, step = jnp.asarray(samples, dtype), length / samples
            point = jnp.arange(samples, dtype=dtype).reshape(1, 1, samples)
        at = start + bins * length + (point + 0.5) * step
        seen = (point < count) & (at >= -1) & (at <= n)
        weight = jnp.maximum(1 - abs(jnp.clip(at, 0, n - 1) - pixels), 0)
        return jnp.where(seen, weight, 0).sum(-1) / jnp.maximum(count, 1)

    return jnp.vectorize(weights, signature="(),()->(m,n)")(start, end)


def _whole(start: jax.Array, end: jax.Array, n: int, m: int) -> jax.Array:
    """Which of n pixels of an axis lie in each of m bins of a box: ``[..., m, n]``."""

    def inside(start: jax.Array, end: jax.Array) -> jax.Array:
        length = jnp.maximum(end - start + 1, 1) / m
        bins = jnp.arange(m, dtype=start.dtype).reshape(m, 1)
        pixels = jnp.arange(n, dtype=start.dtype).reshape(1, n)
        low, high = jnp.floor(bins * length), jnp.ceil((bins + 1) * length)
        return (pixels >= low + start) & (pixels < high + start)

    return jnp.vectorize(inside, signature="(),()->(m,n)")(start, end)


def _largest(x: jax.Array, inside: jax.Array) -> jax.Array:
    """The largest of each bin: ``[..., n, C], [..., m, n] -> [..., m, C]``, zero if it is empty.

    Written as a sum of the one element that is the largest, which neither gathers nor scatters.
    """
    shape = (*inside.shape, x.shape[-1])
    x = jnp.broadcast_to(x[..., None, :, :], shape)
    inside = jnp.broadcast_to(inside[..., None], shape)
    first = jnp.argmax(jnp.where(inside, x, -jnp.inf), -2, keepdims=True)
    chosen = jax.lax.broadcasted_iota(first.dtype, shape, len(shape) - 2) == first
    return jnp.where(chosen & inside, x, 0).sum(-2)
