"""Rotary positions: pairs of features turn by an angle that grows with the position."""

import dataclasses
import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_axes, check_float, check_positive, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn.position import as_positions


@dataclasses.dataclass(frozen=True)
class LinearScaling:
    """Positions divided by ``factor``, for sequences so many times as long (arXiv:2306.15595)."""

    factor: float

    def __post_init__(self) -> None:
        check_positive(self.factor, "factor of LinearScaling")

    def frequencies(self, base: float, size: int, positions: jax.Array) -> Any:
        return _plain(base, size) / self.factor


@dataclasses.dataclass(frozen=True)
class DynamicScaling:
    """A base that grows once a sequence is longer than ``length`` ("dynamic NTK").

    ``base * (factor * n / length - factor + 1)**(d / (d - 2))`` for a last position of n - 1.
    """

    factor: float
    length: int

    def __post_init__(self) -> None:
        check_positive(self.factor, "factor of DynamicScaling")
        check_size(self.length, "length of DynamicScaling")

    def frequencies(self, base: float, size: int, positions: jax.Array) -> Any:
        longest = jnp.maximum(positions.max(-1, keepdims=True) + 1, self.length)
        stretch = self.factor * longest / self.length - (self.factor - 1)
        # base to the power d / (d - 2), then to -2i / d.
        powers = jnp.asarray(np.arange(0, size, 2) / (size - 2), positions.dtype)
        shape = (*stretch.shape, size // 2)
        grown = jnp.broadcast_to(stretch[..., None], shape) ** -jnp.broadcast_to(powers, shape)
        plain = jnp.asarray(_plain(base, size), positions.dtype)
        return grown * jnp.broadcast_to(plain, shape)


@dataclasses.dataclass(frozen=True)
class Llama3Scaling:
    """Slow waves slowed by ``factor``, fast ones kept, a blend between (Llama 3.1).

    ``length`` is that of training. A wave that turns fewer than ``low`` times in it is slow,
    one that turns more than ``high`` times is fast.
    """

    factor: float = 8.0
    length: int = 8192
    _: KW_ONLY
    low: float = 1.0
    high: float = 4.0

    def __post_init__(self) -> None:
        check_positive(self.factor, "factor of Llama3Scaling")
        check_size(self.length, "length of Llama3Scaling")
        _check_order(self.low, self.high, "low", "high", "Llama3Scaling")

    def frequencies(self, base: float, size: int, positions: jax.Array) -> Any:
        plain = _plain(base, size)
        turns = self.length * plain / (2 * math.pi)
        keep = np.clip((turns - self.low) / (self.high - self.low), 0, 1)
        return plain * (keep + (1 - keep) / self.factor)


@dataclasses.dataclass(frozen=True)
class YaRN:
    """Slow waves slowed by ``factor``, fast ones kept, a ramp over the pairs (arXiv:2309.00071).

    ``length`` is that of training. The ramp goes from the pair that turns ``fast`` times in it to
    the one that turns ``slow`` times, rounded outwards if ``truncate``. Queries and keys both are
    multiplied by ``magnitude``, by default ``0.1 log(factor) + 1``.
    """

    factor: float
    length: int
    _: KW_ONLY
    fast: float = 32.0
    slow: float = 1.0
    magnitude: float | None = None
    truncate: bool = True

    def __post_init__(self) -> None:
        check_positive(self.factor, "factor of YaRN")
        check_size(self.length, "length of YaRN")
        _check_order(self.slow, self.fast, "slow", "fast", "YaRN")

    def frequencies(self, base: float, size: int, positions: jax.Array) -> Any:
        def pair(turns: float) -> float:
            return size * math.log(self.length / (turns * 2 * math.pi)) / (2 * math.log(base))

        low, high = pair(self.fast), pair(self.slow)
        if self.truncate:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, size - 1)
        width = high - low or 0.001
        slowed = np.clip((np.arange(size // 2) - low) / width, 0, 1)
        return _plain(base, size) * (1 - slowed + slowed / self.factor)


type Scaling = LinearScaling | DynamicScaling | Llama3Scaling | YaRN


def _plain(base: float, size: int) -> np.ndarray:
    return float(base) ** -(np.arange(0, size, 2) / size)


def _magnitude(scaling: Scaling | None) -> float:
    if not isinstance(scaling, YaRN):
        return 1.0
    if scaling.magnitude is not None:
        return scaling.magnitude
    return 0.1 * math.log(scaling.factor) + 1 if scaling.factor > 1 else 1.0


def _check_order(low: float, high: float, first: str, second: str, what: str) -> None:
    check_positive(low, f"{first} of {what}")
    if not low < high:
        raise ValueError(
            f"{what} has {first}={low} and {second}={high}, but {first} must be below {second}"
        )


def rotary(
    x: jax.Array,
    positions: jax.Array | None = None,
    *,
    base: float = 10_000.0,
    interleaved: bool = False,
    fraction: float = 1.0,
    scaling: Scaling | None = None,
) -> jax.Array:
    """Turns pairs of features by ``position * base**(-2i / K)``: ``[..., T, H, K]`` to the same.

    The scores of queries and keys turned so depend on differences of positions only
    (arXiv:2104.09864). ``positions [T]`` or ``[..., T]`` count from 0 if not given. Pair i is the
    features i and i + K/2, or, if ``interleaved``, 2i and 2i + 1. Only the first ``fraction`` of
    the features turns. ``scaling`` changes the frequencies for sequences longer than in training:
    ``LinearScaling``, ``DynamicScaling``, ``YaRN`` or ``Llama3Scaling``.
    Raises ValueError if sizes and options do not fit each other.

    >>> rotary(jnp.ones((2, 1, 2)))[1, 0, 0]
    Array(-0.30, dtype=float32)
    """
    check_float(x, "the input of rotary")
    check_axes(x, 3, "the input of rotary")
    size = _turned(x.shape[-1], base, fraction, scaling)
    dtype = at_least_float32(x)
    places = as_positions(x.shape[-3] if positions is None else positions, "positions of rotary")
    if places.shape not in (x.shape[:-2], x.shape[-3:-2]):
        raise ValueError(
            f"positions of rotary is {describe(places)}, but an input {describe(x)}, which is "
            f"[..., T, H, K], needs {list(x.shape[-3:-2])} [T] or {list(x.shape[:-2])} [..., T]"
        )
    angles = _angles(places.astype(dtype), size, base, scaling)[..., None, :]  # [..., T, 1, K/2]
    angles = jnp.broadcast_to(angles, (*x.shape[:-1], size // 2))
    factor = _magnitude(scaling)
    cos, sin = factor * jnp.cos(angles), factor * jnp.sin(angles)
    turned, rest = x[..., :size].astype(dtype), x[..., size:]
    split = (size // 2, 2) if interleaved else (2, size // 2)
    axis = -1 if interleaved else -2
    pairs = turned.reshape(*x.shape[:-1], *split)
    first, second = jnp.take(pairs, 0, axis), jnp.take(pairs, 1, axis)
    pairs = jnp.stack([first * cos - second * sin, second * cos + first * sin], axis)
    return jnp.concatenate([pairs.reshape(turned.shape).astype(x.dtype), rest], -1)


def _angles(positions: jax.Array, size: int, base: float, scaling: Scaling | None) -> jax.Array:
    """``[..., T] -> [..., T, size / 2]``."""
    found = scaling.frequencies(base, size, positions) if scaling else _plain(base, size)
    waves = jnp.asarray(found, positions.dtype)
    shape = (*positions.shape, size // 2)
    return jnp.broadcast_to(positions[..., None], shape) * jnp.broadcast_to(waves, shape)


def _turned(features: int, base: float, fraction: float, scaling: Scaling | None) -> int:
    """How many features turn; raises ValueError where the options do not fit."""
    check_positive(base, "base of rotary")
    if not 0 < fraction <= 1:
        raise ValueError(
            f"fraction of rotary is the share of features that turn, above 0 and at most 1, but is "
            f"{fraction}"
        )
    size = int(features * fraction)
    if size < 2 or size % 2:
        raise ValueError(
            f"rotary turns pairs, but fraction={fraction} of {features} features is {size}; "
            "the head size times fraction must be even"
        )
    if isinstance(scaling, DynamicScaling) and size == 2:
        raise ValueError("DynamicScaling needs more than one pair: give heads of at least 4")
    return size


class Rotary(Layer):
    """``rotary`` as a layer: ``[..., T, H, K] -> [..., T, H, K]``; it has no parameters.

    It is the ``rotary`` of ``MultiHeadAttention``, which turns queries and keys by it.

    >>> Rotary(base=500_000.0)({}, jnp.ones((2, 1, 2))).shape
    (2, 1, 2)
    """

    _: KW_ONLY
    base: float = 10_000.0
    interleaved: bool = False
    fraction: float = 1.0
    scaling: Scaling | None = None

    def __call__(
        self,
        params: Any,
        x: jax.Array,
        *,
        positions: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        return rotary(
            x,
            positions,
            base=self.base,
            interleaved=self.interleaved,
            fraction=self.fraction,
            scaling=self.scaling,
        )
