"""Images ``[..., H, W, C]``: scaling their values, cutting from them, and blurring.

An amount such as ``sigma`` is a number, or an array with one for each image: of the shape of the
batch axes. So one call treats each image of a batch in its own way.
"""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_real
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array, seen
from jaxnet.core.layer import Layer
from jaxnet.nn.pad import pad
from jaxnet.nn.sliding import Sizes, per_axis

type Amount = float | jax.Array
type Channels = float | tuple[float, ...]


def rescale(x: jax.Array, scale: float, offset: float = 0.0) -> jax.Array:
    """``x * scale + offset``: with ``1 / 255`` bytes become values from 0 to 1.

    Any shape; integers become float32. Raises ValueError if ``x`` is not an array of real numbers.

    >>> rescale(jnp.array([0, 51, 255], jnp.uint8), 1 / 255)
    Array([0. , 0.2, 1. ], dtype=float32)
    """
    check_real(x, "the input of rescale", integers=True)
    wide = at_least_float32(x)
    y = x.astype(wide) * scale + offset
    return y.astype(x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else wide)


def normalize_images(x: jax.Array, mean: Channels | jax.Array, std: Channels | jax.Array) -> Any:
    """``(x - mean) / std`` for each channel: ``[..., C] -> [..., C]``.

    ``mean`` and ``std`` are numbers, or have one for each channel.
    Raises ValueError if they do not fit ``x``, or if ``std`` is not above 0.

    >>> normalize_images(jnp.ones((1, 2)), 0.5, (0.5, 0.25))
    Array([[1., 2.]], dtype=float32)
    """
    check_real(x, "the input of normalize_images")
    known = seen(std)
    if known is not None and not (known > 0).all():
        raise ValueError(f"std of normalize_images must be above 0, but is {known.min()}")
    wide = at_least_float32(x)
    given = []
    for name, value in (("mean", mean), ("std", std)):
        value = jnp.asarray(value, wide)
        if value.shape not in ((), x.shape[-1:]):
            raise ValueError(
                f"{name} of normalize_images must be a number or have one for each of the channels "
                f"of {describe(x)}, but has the shape {value.shape}; the last axis of x holds them"
            )
        given.append(jnp.broadcast_to(value, x.shape))
    return ((x.astype(wide) - given[0]) / given[1]).astype(x.dtype)


def crop(x: jax.Array, corner: Any, size: Sizes) -> jax.Array:
    """What lies below and right of ``corner``: ``[..., H, W, C] -> [..., *size, C]``.

    ``corner [2]``, or ``[..., 2]`` for each image, has the row and the column of the first pixel.
    Under ``jit``, where it cannot be seen, it is moved so that the cut lies inside.
    Raises ValueError if the cut does not lie inside the image.

    >>> crop(jnp.arange(9.0).reshape(3, 3, 1), (1, 0), 2)[..., 0]
    Array([[3., 4.],
           [6., 7.]], dtype=float32)
    """
    check_images(x, "crop")
    size = per_axis(size, 2, "size of crop")
    at = rows_of(corner, 2, x, "corner of crop", jnp.dtype(jnp.int32)).reshape(-1, 2)
    known = seen(corner)
    room = (x.shape[-3] - size[0], x.shape[-2] - size[1])
    if min(room) < 0 or (known is not None and ((known < 0) | (known > room)).any()):
        raise ValueError(
            f"crop of the size {size} from the corner {corner} does not lie inside {describe(x)}; "
            f"the corner may be at most {room}: pad the image first, or choose a smaller size"
        )
    flat = x.reshape(-1, *x.shape[-3:])
    shape = (*size, x.shape[-1])
    start = jnp.concatenate([at, jnp.zeros_like(at[:, :1])], -1)
    y = jax.vmap(lambda x, start: jax.lax.dynamic_slice(x, start, shape))(flat, start)
    return y.reshape(*x.shape[:-3], *shape)


def resized_crop(x: jax.Array, box: Any, size: Sizes) -> jax.Array:
    """What lies in ``box``, resized: ``[..., H, W, C] -> [..., *size, C]``.

    ``box [4]``, or ``[..., 4]`` for each image, has the top row, the left column, the height and
    the width, all inside the image. It is resized as by ``resize`` with ``method="linear"`` and
    ``antialias=True``.
    Raises ValueError if the shapes do not fit each other.

    >>> resized_crop(jnp.arange(4.0).reshape(1, 4, 1), (0, 2, 1, 2), (1, 4))[..., 0]
    Array([[2.  , 2.25, 2.75, 3.  ]], dtype=float32)
    """
    check_images(x, "resized_crop")
    size = per_axis(size, 2, "size of resized_crop")
    wide = at_least_float32(x)
    box = rows_of(box, 4, x, "box of resized_crop", wide)
    rows, columns = (
        _stretch(box[..., i], box[..., 2 + i], x.shape[i - 3], size[i]) for i in range(2)
    )
    return _separable(x.astype(wide), rows, columns).astype(x.dtype)


def erase(x: jax.Array, box: Any, value: float = 0.0) -> jax.Array:
    """Images with ``value`` in ``box``: ``[..., H, W, C] -> [..., H, W, C]``.

    ``box`` as in ``resized_crop``; what of it lies outside the image is left out.
    Raises ValueError if the shapes do not fit each other.

    >>> erase(jnp.ones((2, 3, 1)), (0, 1, 1, 2))[..., 0]
    Array([[1., 0., 0.],
           [1., 1., 1.]], dtype=float32)
    """
    check_images(x, "erase")
    box = rows_of(box, 4, x, "box of erase", at_least_float32(x))
    inside = jnp.broadcast_to(in_box(box, x)[..., None], x.shape)
    return jnp.where(inside, jnp.asarray(value, x.dtype), x)


def gaussian_blur(
    x: jax.Array, size: Sizes, sigma: Amount | tuple[Amount, Amount] | None = None
) -> jax.Array:
    """The mean around each pixel, weighted by a bell: ``[..., H, W, C] -> [..., H, W, C]``.

    ``size`` says how many pixels it sees along height and width, odd numbers; ``sigma``, one for
    both or one for each, is its standard deviation in pixels, by default ``0.15 * size + 0.35``.
    Beyond the border the image is mirrored.
    Raises ValueError if ``size`` is even or reaches beyond the mirrored image, or unless
    ``sigma > 0``.

    >>> gaussian_blur(jnp.eye(3)[..., None], (1, 3), 1e-3)[..., 0]
    Array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    check_images(x, "gaussian_blur")
    size = per_axis(size, 2, "size of gaussian_blur")
    reach = [n // 2 for n in size]
    if any(n % 2 == 0 for n in size) or any(
        r >= n for r, n in zip(reach, x.shape[-3:-1], strict=True)
    ):
        raise ValueError(
            f"size of gaussian_blur must be odd, and half of it less than the image, but is {size} "
            f"for {describe(x)}; use a smaller odd size"
        )
    if sigma is None:
        sigma = (0.15 * size[0] + 0.35, 0.15 * size[1] + 0.35)
    pair = sigma if isinstance(sigma, tuple) else (sigma, sigma)
    above = math.nextafter(0, 1)
    sigmas = [amounts(s, x, "sigma of gaussian_blur", least=above) for s in pair]
    wide = sigmas[0].dtype
    y = pad(x.astype(wide), tuple((r, r) for r in reach), mode="reflect")
    rows, columns = (_bell(s, r, n) for s, r, n in zip(sigmas, reach, x.shape[-3:-1], strict=True))
    return _separable(y, rows, columns).astype(x.dtype)


def check_images(x: Any, what: str, *, colors: tuple[int, ...] = ()) -> None:
    """Raise unless ``x`` is ``[..., H, W, C]``, floating point, with one of the numbers C."""
    check_real(x, f"the input of {what}")
    if x.ndim < 3 or not all(x.shape[-3:-1]):
        raise ValueError(
            f"the input of {what} must be images [..., H, W, C], but is {describe(x)}; a single "
            "channel is an axis, too: x[..., None]"
        )
    if colors and x.shape[-1] not in colors:
        raise ValueError(
            f"the input of {what} needs {' or '.join(map(str, colors))} channels on its last axis, "
            f"but is {describe(x)}; is it channels-last? Else jnp.moveaxis(x, -3, -1)"
        )


def amounts(
    value: Any, x: jax.Array, what: str, *, least: float = -math.inf, most: float = math.inf
) -> jax.Array:
    """One number for each of the images ``x [..., H, W, C]``; values that are seen in bounds."""
    known = seen(value)
    if known is not None and known.size and not ((known >= least) & (known <= most)).all():
        bounds = f"from {least:.3g} to {most:.3g}" if least > 0 or most < math.inf else "at least 0"
        bounds = "above 0" if least == math.nextafter(0, 1) else bounds
        worst = known.min() if known.min() < least else known.max()
        raise ValueError(f"{what} must be {bounds}, but is {worst}")
    batch = x.shape[:-3]
    if is_array(value) and value.shape not in ((), batch):
        raise ValueError(
            f"{what} must be a number, or an array of the shape {batch} with one for each image of "
            f"{describe(x)}, but is {describe(value)}"
        )
    return jnp.broadcast_to(jnp.asarray(value, at_least_float32(x)), batch)


def rows_of(value: Any, count: int, x: jax.Array, what: str, dtype: Any) -> jax.Array:
    """``count`` numbers for each of the images ``x [..., H, W, C]``."""
    value = jnp.asarray(value, dtype)
    shape = (*x.shape[:-3], count)
    if value.shape not in ((count,), shape):
        raise ValueError(
            f"{what} must have {count} numbers, or the shape {shape} with {count} for each image "
            f"of {describe(x)}, but has the shape {value.shape}"
        )
    return jnp.broadcast_to(value, shape)


def beside(amount: jax.Array, x: jax.Array) -> jax.Array:
    """One number an image, in the shape of the images."""
    return jnp.broadcast_to(amount[..., None, None, None], x.shape)


def in_box(box: jax.Array, x: jax.Array) -> jax.Array:
    """Which pixels of ``x [..., H, W, C]`` lie in ``box [..., 4]``: ``[..., H, W]``."""
    shape = x.shape[:-1]
    inside = jnp.ones(shape, bool)
    for i in range(2):
        place = jax.lax.broadcasted_iota(box.dtype, shape, len(shape) - 2 + i)
        low, length = (jnp.broadcast_to(box[..., j, None, None], shape) for j in (i, 2 + i))
        inside &= (place >= low) & (place < low + length)
    return inside


def _stretch(start: jax.Array, length: jax.Array, n: int, m: int) -> jax.Array:
    """How much each of n pixels weighs at each of m places from ``start``: ``[..., m, n]``."""
    shape = (*start.shape, m, n)
    start, length = (jnp.broadcast_to(a[..., None, None], shape) for a in (start, length))
    place, pixel = (jax.lax.broadcasted_iota(start.dtype, shape, len(shape) - i) for i in (2, 1))
    step = length / m
    at = jnp.clip(start + (place + 0.5) * step - 0.5, 0, n - 1)
    weight = jnp.maximum(1 - abs(pixel - at) / jnp.maximum(step, 1), 0)
    weight = jnp.where((pixel > start - 1) & (pixel < start + length), weight, 0)
    return weight / jnp.broadcast_to(weight.sum(-1, keepdims=True), shape)


def _bell(sigma: jax.Array, reach: int, n: int) -> jax.Array:
    """How much each pixel of n and ``reach`` on both sides weighs for each: ``[..., n, ·]``."""
    shape = (*sigma.shape, n, n + 2 * reach)
    place, pixel = (jax.lax.broadcasted_iota(sigma.dtype, shape, len(shape) - i) for i in (2, 1))
    away = pixel - place - reach
    height = -((away / jnp.broadcast_to(sigma[..., None, None], shape)) ** 2) / 2
    return jax.nn.softmax(height, where=abs(away) <= reach)


def _separable(x: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Height and width of the images, each multiplied by a matrix of their own."""
    highest = jax.lax.Precision.HIGHEST
    y = jnp.einsum("...mh,...hwc->...mwc", rows, x, precision=highest)
    return jnp.einsum("...nw,...mwc->...mnc", columns, y, precision=highest)


class Rescale(Layer):
    """``rescale`` as a layer without parameters, for ``Sequential``.

    >>> Rescale(1 / 255)({}, jnp.array([0, 255], jnp.uint8))
    Array([0., 1.], dtype=float32)
    """

    scale: float
    _: KW_ONLY
    offset: float = 0.0

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return rescale(x, self.scale, self.offset)


class NormalizeImages(Layer):
    """``normalize_images`` as a layer without parameters, for ``Sequential``.

    >>> NormalizeImages(0.5, 0.25)({}, jnp.ones((1, 2)))
    Array([[2., 2.]], dtype=float32)
    """

    mean: Channels
    std: Channels

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return normalize_images(x, self.mean, self.std)
