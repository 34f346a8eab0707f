"""Moving the pixels of images ``[..., H, W, C]`` at random, in training calls."""

import math
from dataclasses import KW_ONLY

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import split
from jaxnet.core.checks import check_at_least, check_positive
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.threefry import written_out
from jaxnet.nn.augment import Augmentation, Range, check_share, interval, uniform
from jaxnet.nn.image import gaussian_blur
from jaxnet.nn.image_geometry import Fill, affine, check_sampling, elastic, perspective


class RandomAffine(Augmentation):
    """Turns, shifts, scales and shears at random, by ``affine``: ``[..., H, W, C]``.

    ``degrees`` and ``shear`` (along x, along y) are ranges of angles, ``scale`` one of factors, so
    that 0.1 means from 0.9 to 1.1, and ``shift`` (along x, along y) are ranges of shares of width
    and height.

    >>> RandomAffine(degrees=10)({}, jnp.ones((2, 8, 8, 3)), key=jax.random.key(0)).shape
    (2, 8, 8, 3)
    """

    _: KW_ONLY
    degrees: Range = 0.0
    shift: tuple[Range, Range] = (0.0, 0.0)
    scale: Range = 0.0
    shear: tuple[Range, Range] = (0.0, 0.0)
    mode: str = "nearest"
    fill: Fill = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sampling(self.mode, self.fill, "RandomAffine")
        for name in ("shift", "shear"):
            pair = getattr(self, name)
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise ValueError(
                    f"{name} of RandomAffine must be two ranges, along x and along y, but is "
                    f"{pair!r}; to the side only is {name}=({pair!r}, 0)"
                )
        self._ranges()

    def _ranges(self) -> list[tuple[float, float]]:
        plain = [("degrees", self.degrees)]
        plain += [("shift", r) for r in self.shift] + [("shear", r) for r in self.shear]
        scale = interval(self.scale, "scale of RandomAffine", middle=1.0, least=1e-6)
        return [*(interval(r, f"{name} of RandomAffine") for name, r in plain), scale]

    def change(self, x: jax.Array, key: jax.Array) -> jax.Array:
        ranges = self._ranges()
        drawn = [uniform(k, x, r) for k, r in zip(split(key, len(ranges)), ranges, strict=True)]
        degrees, right, down, along, up, scale = drawn
        return affine(
            x,
            degrees=degrees,
            shift=(right * x.shape[-2], down * x.shape[-3]),
            scale=scale,
            shear=(along, up),
            mode=self.mode,
            fill=self.fill,
        )


class RandomPerspective(Augmentation):
    """Moves each corner inwards at random, by ``perspective``: ``[..., H, W, C]``.

    ``distortion``, from 0 to 1, is the share of half the width and height that a corner moves at
    most.

    >>> RandomPerspective()({}, jnp.ones((2, 8, 8, 3)), key=jax.random.key(0)).shape
    (2, 8, 8, 3)
    """

    distortion: float = 0.5
    _: KW_ONLY
    mode: str = "linear"
    fill: Fill = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(self.distortion, "distortion of RandomPerspective")
        check_sampling(self.mode, self.fill, "RandomPerspective")

    def change(self, x: jax.Array, key: jax.Array) -> jax.Array:
        wide = at_least_float32(x)
        shape = (*x.shape[:-3], 4, 2)
        size = jnp.broadcast_to(jnp.asarray(x.shape[-2:-4:-1], wide), shape)
        corners = jnp.asarray([[0, 0], [1, 0], [1, 1], [0, 1]], wide)
        start = jnp.broadcast_to(corners, shape) * size
        inwards = jnp.broadcast_to(1 - 2 * corners, shape) * size / 2
        moved = jax.random.uniform(key, shape, wide, 0, self.distortion) * inwards
        return perspective(x, start, start + moved, mode=self.mode, fill=self.fill)


class RandomElastic(Augmentation):
    """Moves pixels by smooth noise, as seen through water, by ``elastic``: ``[..., H, W, C]``.

    Noise from -1 to 1 is blurred by ``sigma`` pixels and multiplied by ``alpha / 2`` pixels
    (Simard et al. 2003; torchvision's meaning of ``alpha``).

    >>> RandomElastic()({}, jnp.ones((2, 8, 8, 3)), key=jax.random.key(0)).shape
    (2, 8, 8, 3)
    """

    alpha: float = 50.0
    sigma: float = 5.0
    _: KW_ONLY
    mode: str = "linear"
    fill: Fill = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self.alpha, 0, "alpha of RandomElastic")
        check_positive(self.sigma, "sigma of RandomElastic")
        check_sampling(self.mode, self.fill, "RandomElastic")

    def change(self, x: jax.Array, key: jax.Array) -> jax.Array:
        own = written_out(key)
        noise = jax.random.uniform(own, (*x.shape[:-1], 2), at_least_float32(x), -1, 1)
        # Four deviations to each side, as far as the mirrored image reaches.
        reach = math.ceil(4 * self.sigma)
        size = tuple(2 * min(reach, n - 1) + 1 for n in x.shape[-3:-1])
        shift = gaussian_blur(noise, size, self.sigma) * (self.alpha / 2)
        return elastic(x, shift, mode=self.mode, fill=self.fill)
