"""Every entry drawn alike, whatever the shape."""

import dataclasses
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.nn.initializers.checks import check_std


@dataclasses.dataclass(frozen=True)
class Constant:
    """``value`` everywhere.

    >>> Constant(0.25)(jax.random.key(0), (2,), jnp.float32)
    Array([0.25, 0.25], dtype=float32)
    """

    value: float

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jnp.full(shape, self.value, dtype)


@dataclasses.dataclass(frozen=True)
class Uniform:
    """Uniform between ``low``, by default ``-bound``, and ``bound``.

    >>> bool(abs(Uniform(0.1)(jax.random.key(0), (8,), "float32")).max() <= 0.1)
    True
    """

    bound: float
    _: KW_ONLY
    low: float | None = None

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        low = -self.bound if self.low is None else self.low
        return jax.random.uniform(key, shape, dtype, low, self.bound)


@dataclasses.dataclass(frozen=True)
class Normal:
    """Normal with standard deviation ``std`` around ``mean``.

    >>> Normal(0.1)(jax.random.key(0), (2, 3), jnp.float32).shape
    (2, 3)
    """

    std: float = 1.0
    _: KW_ONLY
    mean: float = 0.0

    def __post_init__(self) -> None:
        check_std(self.std, "Normal")

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return self.mean + self.std * jax.random.normal(key, shape, dtype)


@dataclasses.dataclass(frozen=True)
class TruncatedNormal:
    """As ``Normal``, but drawn anew outside ``low`` and ``high``.

    As in PyTorch these are values: by default -2 and 2. In Keras they lie two standard deviations
    from the mean: ``TruncatedNormal(0.05, low=-0.1, high=0.1)`` is its default.
    Raises ValueError unless ``low < high``.

    >>> bool(abs(TruncatedNormal(3.0)(jax.random.key(0), (99,), jnp.float32)).max() <= 2)
    True
    """

    std: float = 1.0
    _: KW_ONLY
    mean: float = 0.0
    low: float = -2.0
    high: float = 2.0

    def __post_init__(self) -> None:
        check_std(self.std, "TruncatedNormal")
        if not self.low < self.high:
            raise ValueError(
                f"low of TruncatedNormal must be below high, but they are {self.low} and "
                f"{self.high}"
            )

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        low, high = ((end - self.mean) / self.std for end in (self.low, self.high))
        unit = jax.random.truncated_normal(key, low, high, shape, dtype)
        return self.mean + self.std * unit
