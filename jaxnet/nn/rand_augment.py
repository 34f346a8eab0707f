"""Random sequences of changes of images ``[..., H, W, C]`` with values from 0 to 1, in training."""

import functools
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import split
from jaxnet.core.checks import check_at_least, check_positive, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.nn.augment import Augmentation
from jaxnet.nn.image import beside, check_images
from jaxnet.nn.image_color import (
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    adjust_sharpness,
    autocontrast,
    equalize,
    posterize,
    solarize,
)
from jaxnet.nn.image_geometry import Fill, affine, check_sampling

# Moving: shear and shift, both along x and along y, and rotation. They are one branch, for one
# call of affine does them all.
_MOVES = 5
_OPERATIONS = 13


def _change(x: jax.Array, kind: jax.Array, strength: jax.Array, mode: str, fill: Fill) -> jax.Array:
    """One image ``[H, W, C]``, changed by operation ``kind`` with a strength from -1 to 1."""
    moves = jnp.where(jnp.arange(_MOVES) == kind, strength, 0)
    share = abs(strength)
    factor = 1 + 0.9 * strength
    branches = (
        lambda x: affine(
            x,
            shear=(
                jnp.rad2deg(jnp.arctan(0.3 * moves[0])),
                jnp.rad2deg(jnp.arctan(0.3 * moves[1])),
            ),
            shift=(150 / 331 * x.shape[-2] * moves[2], 150 / 331 * x.shape[-3] * moves[3]),
            degrees=30 * moves[4],
            mode=mode,
            fill=fill,
        ),
        lambda x: adjust_brightness(x, factor),
        lambda x: adjust_saturation(x, factor),
        lambda x: adjust_contrast(x, factor),
        lambda x: adjust_sharpness(x, factor),
        lambda x: posterize(x, 8 - jnp.round(4 * share)),
        lambda x: solarize(x, 1 - share),
        autocontrast,
        equalize,
        lambda x: x,
    )
    return jax.lax.switch(jnp.maximum(kind - _MOVES + 1, 0), branches, x)


class RandAugment(Augmentation):
    """``ops`` random changes of each image, all of one strength (arXiv:1909.13719).

    They are shear and shift along x and y, rotation, brightness, saturation, contrast, sharpness,
    posterize, solarize, autocontrast, equalize and none, at ``magnitude`` from 0 to 30, the
    strongest: a shear of 0.3, a shift by 0.45 of the image, 30 degrees, factors of 0.1 or 1.9, 4
    bits, a threshold of 0. Directions are drawn, too. ``mode`` and ``fill`` are those of
    ``affine``. All changes are computed for a batch and one chosen for each image.

    >>> RandAugment()({}, jnp.ones((2, 8, 8, 3)), key=jax.random.key(0)).shape
    (2, 8, 8, 3)
    """

    ops: int = 2
    magnitude: float = 9.0
    _: KW_ONLY
    mode: str = "nearest"
    fill: Fill = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.ops, "ops of RandAugment")
        _check_strength(self.magnitude, 30, "magnitude of RandAugment")
        check_sampling(self.mode, self.fill, "RandAugment")

    def change(self, x: jax.Array, key: jax.Array) -> jax.Array:
        check_images(x, "RandAugment", colors=(1, 3))
        batch = x.shape[:-3]
        kinds, signs = split(key, 2)
        kind = jax.random.randint(kinds, (self.ops, *batch), 0, _OPERATIONS + 1)
        sign = jax.random.rademacher(signs, (self.ops, *batch), at_least_float32(x))
        strength = sign * (self.magnitude / 30)
        return _chain(x, kind, strength, self.mode, self.fill)


class AugMix(Augmentation):
    """Mixes an image with ``width`` chains of random changes of it (arXiv:1912.02781).

    A chain has ``depth`` changes, by default 1 to 3, those of ``RandAugment`` with a strength drawn
    up to ``severity / 10`` each. Chains are weighed by a Dirichlet distribution, and what they give
    and the image by a Beta distribution, both with the concentration ``alpha``.

    >>> AugMix()({}, jnp.ones((2, 8, 8, 3)), key=jax.random.key(0)).shape
    (2, 8, 8, 3)
    """

    severity: float = 3.0
    _: KW_ONLY
    width: int = 3
    depth: int | None = None
    alpha: float = 1.0
    mode: str = "linear"
    fill: Fill = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_strength(self.severity, 10, "severity of AugMix")
        check_size(self.width, "width of AugMix")
        if self.depth is not None:
            check_size(self.depth, "depth of AugMix")
        check_positive(self.alpha, "alpha of AugMix")
        check_sampling(self.mode, self.fill, "AugMix")

    def change(self, x: jax.Array, key: jax.Array) -> jax.Array:
        check_images(x, "AugMix", colors=(1, 3))
        wide = at_least_float32(x)
        kinds, strengths, lengths, weights, shares = split(key, 5)
        chains = (self.width, *x.shape[:-3])
        depth = self.depth or 3
        kind = jax.random.randint(kinds, (depth, *chains), 0, _OPERATIONS)
        if self.depth is None:
            length = jax.random.randint(lengths, chains, 1, depth + 1)
            step = jax.lax.broadcasted_iota(length.dtype, kind.shape, 0)
            # The last of the operations changes nothing.
            kind = jnp.where(step < jnp.broadcast_to(length, kind.shape), kind, _OPERATIONS)
        limit = self.severity / 10
        strength = jax.random.uniform(strengths, kind.shape, wide, -limit, limit)
        copies = jnp.broadcast_to(x.astype(wide), (self.width, *x.shape))
        mixed = _chain(copies, kind, strength, self.mode, self.fill)
        alphas = jnp.full(self.width, self.alpha, wide)
        weight = jax.random.dirichlet(weights, alphas, chains[1:], wide)
        mixed = (beside(jnp.moveaxis(weight, -1, 0), mixed) * mixed).sum(0)
        share = beside(jax.random.beta(shares, self.alpha, self.alpha, chains[1:], wide), x)
        return (share * x.astype(wide) + (1 - share) * mixed).astype(x.dtype)


def _chain(x: jax.Array, kind: jax.Array, strength: jax.Array, mode: str, fill: Fill) -> jax.Array:
    """One change after the other: ``x [..., H, W, C]``, the others ``[changes, ...]``."""
    flat = x.reshape(-1, *x.shape[-3:])
    change = jax.vmap(functools.partial(_change, mode=mode, fill=fill))

    def step(y: jax.Array, now: Any) -> tuple[jax.Array, None]:
        return change(y, *now), None

    length = kind.shape[0]
    changes = kind.reshape(length, -1), strength.reshape(length, -1)
    return jax.lax.scan(step, flat, changes)[0].reshape(x.shape)


def _check_strength(value: Any, most: int, what: str) -> None:
    check_at_least(value, 0, what)
    if value > most:
        raise ValueError(f"{what} must be from 0 to {most}, but is {value}; {most} is strongest")
