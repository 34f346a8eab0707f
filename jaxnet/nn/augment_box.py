"""Random boxes of images ``[..., H, W, C]``: cut out, resized or erased, in training calls."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import split
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn.augment import Augmentation, check_pair, uniform
from jaxnet.nn.image import check_images, crop, erase, resized_crop
from jaxnet.nn.pad import Widths, center_crop_pad, pad
from jaxnet.nn.sliding import Sizes, per_axis


class RandomCrop(Layer):
    """Cuts ``size`` anywhere from the image, padded before: ``[..., H, W, C] -> [..., *size, C]``.

    ``padding``, ``mode`` and ``value`` are those of ``pad``. Without a key it is the middle.
    Raises ValueError if ``size`` is larger than the padded image.

    >>> RandomCrop(32, padding=4)({}, jnp.ones((2, 32, 32, 3)), key=jax.random.key(0)).shape
    (2, 32, 32, 3)
    """

    size: Sizes
    _: KW_ONLY
    padding: Widths = 0
    mode: str = "constant"
    value: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        per_axis(self.size, 2, "size of RandomCrop")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_images(x, "RandomCrop")
        size = per_axis(self.size, 2, "size of RandomCrop")
        x = pad(x, self.padding, mode=self.mode, value=self.value)
        room = [n - m for n, m in zip(x.shape[-3:-1], size, strict=True)]
        if min(room) < 0:
            raise ValueError(
                f"size of RandomCrop is {size}, larger than the padded image {describe(x)}; "
                "use more padding, or a smaller size"
            )
        if key is None:
            return center_crop_pad(x, size)
        keys = split(key, 2)
        corner = [
            jax.random.randint(own, x.shape[:-3], 0, n + 1)
            for own, n in zip(keys, room, strict=True)
        ]
        return crop(x, jnp.stack(corner, -1), size)


class RandomResizedCrop(Layer):
    """Cuts a box anywhere from the image and resizes it: ``[..., H, W, C] -> [..., *size, C]``.

    The box has a share ``area`` of the image, and ``ratio`` is its width over its height, drawn
    evenly on a logarithmic scale (arXiv:1409.4842); sides longer than the image's are cut to it.
    Resized as by ``resized_crop``. Without a key it is the whole image.

    >>> RandomResizedCrop(24)({}, jnp.ones((2, 32, 32, 3)), key=jax.random.key(0)).shape
    (2, 24, 24, 3)
    """

    size: Sizes
    _: KW_ONLY
    area: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        super().__post_init__()
        per_axis(self.size, 2, "size of RandomResizedCrop")
        check_box(self.area, self.ratio, "RandomResizedCrop")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_images(x, "RandomResizedCrop")
        whole = (0, 0, *x.shape[-3:-1])
        box = whole if key is None else random_box(x, key, self.area, self.ratio)
        return resized_crop(x, box, self.size)


class RandomErasing(Augmentation):
    """Fills a box anywhere in the image with ``value`` (arXiv:1708.04896): ``[..., H, W, C]``.

    ``area`` and ``ratio`` as in ``RandomResizedCrop``. ``RandomApply`` erases from some only.

    >>> x = RandomErasing()({}, jnp.ones((32, 32, 1)), key=jax.random.key(0))
    >>> 0.02 < 1 - x.mean() < 0.33
    Array(True, dtype=bool)
    """

    _: KW_ONLY
    area: tuple[float, float] = (0.02, 0.33)
    ratio: tuple[float, float] = (0.3, 3.3)
    value: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_box(self.area, self.ratio, "RandomErasing")

    def change(self, x: jax.Array, key: jax.Array) -> jax.Array:
        return erase(x, random_box(x, key, self.area, self.ratio), self.value)


def check_box(area: Any, ratio: Any, what: str) -> None:
    """Raise unless boxes can be drawn from these."""
    check_pair(area, f"area of {what}", least=0.0, most=1.0)
    check_pair(ratio, f"ratio of {what}", least=1e-6)


def random_box(
    x: jax.Array, key: jax.Array, area: tuple[float, float], ratio: tuple[float, float]
) -> jax.Array:
    """A box of whole pixels for each of the images ``[..., H, W, C]``: ``[..., 4]``."""
    height, width = x.shape[-3:-1]
    keys = split(key, 4)
    pixels = uniform(keys[0], x, area) * (height * width)
    wide = jnp.exp(uniform(keys[1], x, (math.log(ratio[0]), math.log(ratio[1]))))
    corner, sides = [], []
    for own, n, side in zip(keys[2:], (height, width), (pixels / wide, pixels * wide), strict=True):
        side = jnp.clip(jnp.round(jnp.sqrt(side)), 1, n)
        sides.append(side)
        corner.append(jnp.floor(uniform(own, x, (0.0, 1.0)) * (n - side + 1)))
    return jnp.stack([*corner, *sides], -1)
