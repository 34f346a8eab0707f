"""Random changes of images ``[..., H, W, C]`` in training calls, each image by draws of its own.

A range is a pair ``(low, high)``; a single number means so much to both sides of what changes
nothing. Without a key, at inference, images stay as they are.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import split
from jaxnet.core.checks import check_at_least, check_key
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.core.threefry import written_out
from jaxnet.nn.compose import apply, check_parts
from jaxnet.nn.image import (
    beside,
    check_images,
    gaussian_blur,
)
from jaxnet.nn.image_color import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    adjust_sharpness,
)
from jaxnet.nn.sliding import Sizes, per_axis

type Range = float | tuple[float, float]


class Augmentation(Layer):
    """Base of what changes images in training calls: subclasses say how in ``change``."""

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_images(x, type(self).__name__)
        if key is None:
            return x
        check_key(key)
        return self.change(x, key)

    def change(self, x: jax.Array, key: jax.Array) -> jax.Array:
        raise NotImplementedError


class RandomApply(Augmentation):
    """Applies an augmentation, or a function of images, to a share ``rate`` of the images.

    >>> from jaxnet.nn.image_color import invert
    >>> RandomApply(invert, 0.5)({}, jnp.ones((4, 1, 1, 1)), key=jax.random.key(1)).ravel()
    Array([1., 1., 0., 0.], dtype=float32)
    """

    transform: Callable[..., Any]
    rate: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_parts((self.transform,), "RandomApply")
        check_share(self.rate, "rate of RandomApply")

    def change(self, x: jax.Array, key: jax.Array) -> jax.Array:
        pick, draw = split(key, 2)
        y = apply(self.transform, {}, x, key=draw)
        if y.shape != x.shape:
            raise ValueError(
                f"RandomApply changes some of the images, so all need one shape, but its transform "
                f"makes {describe(y)} of {describe(x)}; apply it to all images"
            )
        return jnp.where(beside(jax.random.bernoulli(pick, self.rate, x.shape[:-3]), x), y, x)


class RandomFlip(Augmentation):
    """Mirrors images, left to right and upside down with a probability each: ``[..., H, W, C]``.

    >>> RandomFlip(1.0)({}, jnp.arange(3.0).reshape(1, 3, 1), key=jax.random.key(0))[0, :, 0]
    Array([2., 1., 0.], dtype=float32)
    """

    horizontal: float = 0.5
    vertical: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(self.horizontal, "horizontal of RandomFlip")
        check_share(self.vertical, "vertical of RandomFlip")

    def change(self, x: jax.Array, key: jax.Array) -> jax.Array:
        rates = (self.horizontal, -2), (self.vertical, -3)
        for (rate, axis), own in zip(rates, split(key, 2), strict=True):
            pick = jax.random.bernoulli(own, rate, x.shape[:-3])
            x = jnp.where(beside(pick, x), jnp.flip(x, axis), x)
        return x


class ColorJitter(Augmentation):
    """Changes brightness, contrast, saturation and hue at random: ``[..., H, W, C]``.

    The first three are ranges of factors, so that 0.2 means from 0.8 to 1.2, ``hue`` is one of
    turns from -0.5 to 0.5. The batch gets them in one random order, each image its own amounts.

    >>> ColorJitter(brightness=0.5)({}, jnp.ones((2, 8, 8, 3)), key=jax.random.key(0)).shape
    (2, 8, 8, 3)
    """

    _: KW_ONLY
    brightness: Range = 0.0
    contrast: Range = 0.0
    saturation: Range = 0.0
    hue: Range = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._changes()

    def _changes(self) -> list[tuple[Callable[..., jax.Array], tuple[float, float]]]:
        factor = functools.partial(interval, middle=1.0, least=0.0)
        changes = [
            (adjust_brightness, factor(self.brightness, "brightness of ColorJitter"), 1),
            (adjust_contrast, factor(self.contrast, "contrast of ColorJitter"), 1),
            (adjust_saturation, factor(self.saturation, "saturation of ColorJitter"), 1),
            (adjust_hue, interval(self.hue, "hue of ColorJitter", least=-0.5, most=0.5), 0),
        ]
        return [(change, r) for change, r, still in changes if r != (still, still)]

    def change(self, x: jax.Array, key: jax.Array) -> jax.Array:
        changes = self._changes()
        order, *keys = split(key, 1 + len(changes))
        drawn = [
            functools.partial(_call, change, uniform(k, x, r))
            for k, (change, r) in zip(keys, changes, strict=True)
        ]
        if len(drawn) < 2:
            return drawn[0](x) if drawn else x

        def step(y: jax.Array, which: jax.Array) -> tuple[jax.Array, None]:
            return jax.lax.switch(which, drawn, y), None

        return jax.lax.scan(step, x, jax.random.permutation(order, len(drawn)))[0]


class RandomSharpness(Augmentation):
    """Sharpens or smooths by a random factor, by ``adjust_sharpness``: ``[..., H, W, C]``.

    ``factor`` is a range: 0.5 means from 0.5 to 1.5, and below 1 is smoother.

    >>> RandomSharpness(0.5)({}, jnp.ones((2, 8, 8, 3)), key=jax.random.key(0)).shape
    (2, 8, 8, 3)
    """

    factor: Range

    def __post_init__(self) -> None:
        super().__post_init__()
        self._range()

    def _range(self) -> tuple[float, float]:
        return interval(self.factor, "factor of RandomSharpness", middle=1.0, least=0.0)

    def change(self, x: jax.Array, key: jax.Array) -> jax.Array:
        return adjust_sharpness(x, uniform(key, x, self._range()))


class RandomGaussianBlur(Augmentation):
    """Blurs by a random width, by ``gaussian_blur``: ``[..., H, W, C]``.

    ``sigma`` is the range ``(low, high)`` of standard deviations in pixels.

    >>> RandomGaussianBlur(3)({}, jnp.ones((2, 8, 8, 3)), key=jax.random.key(0)).shape
    (2, 8, 8, 3)
    """

    size: Sizes
    _: KW_ONLY
    sigma: tuple[float, float] = (0.1, 2.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        per_axis(self.size, 2, "size of RandomGaussianBlur")
        check_pair(self.sigma, "sigma of RandomGaussianBlur", least=1e-6)

    def change(self, x: jax.Array, key: jax.Array) -> jax.Array:
        return gaussian_blur(x, self.size, uniform(key, x, self.sigma))


def interval(
    given: Range,
    what: str,
    *,
    middle: float = 0.0,
    least: float = -math.inf,
    most: float = math.inf,
) -> tuple[float, float]:
    """``(low, high)``; a number is how far it goes to both sides of the middle, within bounds."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        check_at_least(given, 0, what)
        if middle + given <= most:
            return max(middle - given, least), middle + given
    check_pair(given, what, least=least, most=most)
    return given  # pyright: ignore[reportReturnType]


def check_pair(given: Any, what: str, *, least: float = -math.inf, most: float = math.inf) -> None:
    """Raise unless ``given`` is ``(low, high)`` within bounds."""
    pair = isinstance(given, tuple) and len(given) == 2
    if not pair or not least <= given[0] <= given[1] <= most:
        bounds = f" from {least:g} to {most:g}" if max(abs(least), abs(most)) < math.inf else ""
        bounds = f" of at least {least:g}" if most == math.inf and least > -math.inf else bounds
        raise ValueError(f"{what} must be a range (low, high){bounds}, but is {given!r}")


def check_share(rate: Any, what: str) -> None:
    """Raise unless ``rate`` is a number from 0 to 1."""
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 <= rate <= 1:
        raise ValueError(f"{what} must be a share from 0 to 1, but is {describe(rate)}")


def uniform(key: jax.Array, x: jax.Array, within: tuple[float, float]) -> jax.Array:
    """One number for each of the images ``x [..., H, W, C]``."""
    return jax.random.uniform(written_out(key), x.shape[:-3], at_least_float32(x), *within)


def _call(change: Callable[..., jax.Array], amount: jax.Array, x: jax.Array) -> jax.Array:
    return change(x, amount)
