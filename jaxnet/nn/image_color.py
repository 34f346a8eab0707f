"""The colours of images ``[..., H, W, C]`` with values from 0 to 1.

A factor or another amount is a number, or an array with one for each image: of the shape of the
batch axes. Formulas are those of torchvision on floating-point images.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.nn.image import Amount, amounts, beside, check_images


def grayscale(x: jax.Array, *, channels: int = 1) -> jax.Array:
    """``0.2989 red + 0.587 green + 0.114 blue``: ``[..., H, W, 3] -> [..., H, W, channels]``.

    All channels are equal. Raises ValueError unless the input has 3 channels.

    >>> grayscale(jnp.ones((1, 1, 3)))
    Array([[[0.9999]]], dtype=float32)
    """
    check_images(x, "grayscale", colors=(3,))
    check_size(channels, "channels of grayscale")
    gray = _luma(x.astype(at_least_float32(x)))
    return jnp.broadcast_to(gray, (*x.shape[:-1], channels)).astype(x.dtype)


def rgb_to_hsv(x: jax.Array) -> jax.Array:
    """Hue, saturation and value of red, green and blue, all from 0 to 1: ``[..., H, W, 3]``.

    The hue goes round: 0 is red, 1/3 green, 2/3 blue. That of a gray pixel is 0.
    Raises ValueError unless the input has 3 channels.

    >>> rgb_to_hsv(jnp.array([[[0.0, 0.5, 0.0]]]))
    Array([[[0.3333, 1.    , 0.5   ]]], dtype=float32)
    """
    check_images(x, "rgb_to_hsv", colors=(3,))
    wide = x.astype(at_least_float32(x))
    red, green, blue = (wide[..., i] for i in range(3))
    value = wide.max(-1)
    spread = value - wide.min(-1)
    gray = spread == 0
    # Divisors that are never 0, so that gradients are finite, too.
    safe = jnp.where(gray, 1, spread)
    sector = jnp.where(
        value == red,
        (green - blue) / safe,
        jnp.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    saturation = spread / jnp.where(gray, 1, value)
    return jnp.stack([sector / 6 % 1, saturation, value], -1).astype(x.dtype)


def hsv_to_rgb(x: jax.Array) -> jax.Array:
    """The inverse of ``rgb_to_hsv``: ``[..., H, W, 3]``; the hue may be any number of turns.

    Raises ValueError unless the input has 3 channels.

    >>> hsv_to_rgb(jnp.array([[[1 / 3, 1.0, 0.5]]]))
    Array([[[0. , 0.5, 0. ]]], dtype=float32)
    """
    check_images(x, "hsv_to_rgb", colors=(3,))
    wide = x.astype(at_least_float32(x))
    hue, saturation, value = (wide[..., i] for i in range(3))
    channels = []
    for sector in (5, 3, 1):
        k = (sector + 6 * hue) % 6
        channels.append(value - value * saturation * _unit(jnp.minimum(k, 4 - k)))
    return jnp.stack(channels, -1).astype(x.dtype)


def adjust_brightness(x: jax.Array, factor: Amount) -> jax.Array:
    """``factor * x``, cut to [0, 1]: 0 is black, 1 the image.

    Raises ValueError if ``factor`` is negative.

    >>> adjust_brightness(jnp.full((1, 1, 1), 0.25), 2.0)[0, 0]
    Array([0.5], dtype=float32)
    """
    check_images(x, "adjust_brightness")
    return _blend(x, jnp.zeros_like, factor, "adjust_brightness")


def adjust_contrast(x: jax.Array, factor: Amount) -> jax.Array:
    """Moves away from the mean gray, ``m + factor * (x - m)``, cut to [0, 1]: 1 is the image.

    Takes 1 or 3 channels. Raises ValueError if ``factor`` is negative.

    >>> adjust_contrast(jnp.array([[[0.2], [0.6]]]), 1.5)[0, :, 0]
    Array([0.1, 0.7], dtype=float32)
    """
    check_images(x, "adjust_contrast", colors=(1, 3))
    return _blend(
        x,
        lambda wide: jnp.broadcast_to(_luma(wide).mean((-3, -2, -1), keepdims=True), x.shape),
        factor,
        "adjust_contrast",
    )


def adjust_saturation(x: jax.Array, factor: Amount) -> jax.Array:
    """Moves away from the gray image, cut to [0, 1]: 0 is gray, 1 the image.

    An image of 1 channel, instead of 3, stays as it is. Raises ValueError if ``factor`` is
    negative.

    >>> adjust_saturation(jnp.array([[[1.0, 0.0, 0.0]]]), 0.0)
    Array([[[0.2989, 0.2989, 0.2989]]], dtype=float32)
    """
    check_images(x, "adjust_saturation", colors=(1, 3))
    return _blend(
        x, lambda wide: jnp.broadcast_to(_luma(wide), x.shape), factor, "adjust_saturation"
    )


def adjust_hue(x: jax.Array, turn: Amount) -> jax.Array:
    """Turns the hue by a share of the circle, from -0.5 to 0.5: ``[..., H, W, C]``.

    An image of 1 channel, instead of 3, stays as it is. Raises ValueError for other turns.

    >>> adjust_hue(jnp.array([[[1.0, 0.0, 0.0]]]), 0.5)
    Array([[[0., 1., 1.]]], dtype=float32)
    """
    check_images(x, "adjust_hue", colors=(1, 3))
    turns = amounts(turn, x, "turn of adjust_hue", least=-0.5, most=0.5)
    if x.shape[-1] == 1:
        return x
    hsv = rgb_to_hsv(x.astype(turns.dtype))
    hue = hsv[..., :1] + beside(turns, hsv[..., :1])
    return hsv_to_rgb(jnp.concatenate([hue, hsv[..., 1:]], -1)).astype(x.dtype)


def adjust_sharpness(x: jax.Array, factor: Amount) -> jax.Array:
    """Moves away from a smoothed image, cut to [0, 1]: 0 is smooth, 1 the image.

    The smoothing weighs a pixel with 5/13 and its neighbours with 1/13; the border stays.
    Raises ValueError if ``factor`` is negative.

    >>> adjust_sharpness(jnp.zeros((3, 3, 1)).at[1, 1].set(0.5), 2.0)[1, :, 0]
    Array([0.    , 0.8077, 0.    ], dtype=float32)
    """
    check_images(x, "adjust_sharpness")
    return _blend(x, _smooth, factor, "adjust_sharpness")


def invert(x: jax.Array) -> jax.Array:
    """``1 - x``, the negative.

    >>> invert(jnp.array([[[0.25]]]))
    Array([[[0.75]]], dtype=float32)
    """
    check_images(x, "invert")
    return 1 - x


def solarize(x: jax.Array, threshold: Amount = 0.5) -> jax.Array:
    """Inverts what is at least ``threshold``.

    Raises ValueError unless ``threshold`` is from 0 to 1.

    >>> solarize(jnp.array([[[0.25], [0.75]]]))[0, :, 0]
    Array([0.25, 0.25], dtype=float32)
    """
    check_images(x, "solarize")
    least = amounts(threshold, x, "threshold of solarize", least=0.0, most=1.0)
    return jnp.where(x.astype(least.dtype) >= beside(least, x), 1 - x, x)


def posterize(x: jax.Array, bits: Any) -> jax.Array:
    """Rounds down to ``2**bits`` levels, ``0, 1/2**bits, …``; its gradient is 0.

    ``bits`` is an int, or integers with one for each image. Raises ValueError unless it is from 0
    to 8.

    >>> posterize(jnp.array([[[0.3], [0.8]]]), 2)[0, :, 0]
    Array([0.25, 0.75], dtype=float32)
    """
    check_images(x, "posterize")
    bits = amounts(bits, x, "bits of posterize", least=0, most=8)
    levels = beside(jnp.left_shift(1, bits.astype(jnp.int32)).astype(bits.dtype), x)
    return (jnp.clip(jnp.floor(x.astype(levels.dtype) * levels), 0, levels - 1) / levels).astype(
        x.dtype
    )


def autocontrast(x: jax.Array) -> jax.Array:
    """Stretches each channel of an image, so that it goes from 0 to 1; one value stays as it is.

    >>> autocontrast(jnp.array([[[0.2], [0.3], [0.6]]]))[0, :, 0]
    Array([0.  , 0.25, 1.  ], dtype=float32)
    """
    check_images(x, "autocontrast")
    wide = x.astype(at_least_float32(x))
    low, high = wide.min((-3, -2), keepdims=True), wide.max((-3, -2), keepdims=True)
    flat = high == low
    low, spread = jnp.where(flat, 0, low), jnp.where(flat, 1, high - low)
    y = (wide - jnp.broadcast_to(low, x.shape)) / jnp.broadcast_to(spread, x.shape)
    return _unit(y).astype(x.dtype)


def equalize(x: jax.Array) -> jax.Array:
    """Makes the values of each channel about equally frequent; its gradient is 0.

    The values are taken as bytes, ``floor(255.999 * x)``, and a table of the 256 of them, made of
    their frequencies as in Pillow and torchvision, says what becomes of each.

    >>> equalize(jnp.linspace(0.5, 0.6, 10000).reshape(100, 100, 1))[::25, 0, 0]
    Array([0.  , 0.24, 0.48, 0.76], dtype=float32)
    """
    check_images(x, "equalize")
    wide = at_least_float32(x)
    byte = jnp.clip(jnp.floor(x.astype(wide) * 255.999), 0, 255).astype(jnp.int32)
    channels = jnp.moveaxis(byte, -1, -3)  # [..., C, H, W]
    y = jax.vmap(_equal)(channels.reshape(-1, x.shape[-3] * x.shape[-2]))
    y = jnp.moveaxis(y.reshape(channels.shape), -3, -1)
    return (y.astype(wide) / 255).astype(x.dtype)


def _equal(byte: jax.Array) -> jax.Array:
    counts = jnp.zeros(256, jnp.int32).at[byte].add(1)
    step = (byte.size - counts[byte.max()]) // 255
    table = (jnp.cumsum(counts) - counts + step // 2) // jnp.maximum(step, 1)
    return jnp.where(step == 0, byte, jnp.minimum(table, 255)[byte])


def _luma(x: jax.Array) -> jax.Array:
    """The brightness of each pixel: ``[..., H, W, C] -> [..., H, W, 1]``."""
    if x.shape[-1] == 1:
        return x
    return 0.2989 * x[..., :1] + 0.587 * x[..., 1:2] + 0.114 * x[..., 2:]


def _smooth(x: jax.Array) -> jax.Array:
    if min(x.shape[-3:-1]) < 3:
        return x
    rows = x[..., :-2, :, :] + x[..., 1:-1, :, :] + x[..., 2:, :, :]
    box = rows[..., :-2, :] + rows[..., 1:-1, :] + rows[..., 2:, :]
    inner = (box + 4 * x[..., 1:-1, 1:-1, :]) / 13
    return x.at[..., 1:-1, 1:-1, :].set(inner)


def _blend(x: jax.Array, other: Any, factor: Amount, what: str) -> jax.Array:
    """From ``other(x)`` at a factor of 0 to ``x`` at 1 and beyond, cut to [0, 1]."""
    factor = beside(amounts(factor, x, f"factor of {what}", least=0.0), x)
    wide = x.astype(factor.dtype)
    return _unit(factor * wide + (1 - factor) * other(wide)).astype(x.dtype)


def _unit(x: jax.Array) -> jax.Array:
    """``x`` cut to [0, 1]; unlike that of jnp.clip its gradient at 0 and 1 is 1, as PyTorch's."""
    return jnp.where(x < 0, 0, jnp.where(x > 1, 1, x))
