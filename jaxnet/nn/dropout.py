"""Dropout: zeroing at random in training calls."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_float, check_key
from jaxnet.core.layer import Layer


def dropout(x: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
    """Zeroes each entry with probability ``rate`` and divides the rest by ``1 - rate``.

    Without a key, at inference, it returns ``x``. Raises ValueError unless ``0 <= rate < 1``.

    >>> dropout(jnp.ones(3), 0.5, None)
    Array([1., 1., 1.], dtype=float32)
    """
    check_rate(rate)
    if key is None or rate == 0:
        return x
    check_key(key)
    check_float(x, "the input of dropout")
    keep = jax.random.bernoulli(key, 1 - rate, x.shape)
    return jnp.where(keep, x / (1 - rate), jnp.zeros_like(x))


def check_rate(rate: float) -> None:
    """Raise unless ``rate`` is a share that can be dropped."""
    if not 0 <= rate < 1:
        raise ValueError(
            f"the dropout rate is the share to drop, at least 0 and below 1, but is {rate}; "
            "to keep 90 % give 0.1"
        )


class Dropout(Layer):
    """Zeroes each entry with probability ``rate`` in training calls: ``[...] -> [...]``.

    >>> Dropout(0.5)({}, jnp.ones(3))
    Array([1., 1., 1.], dtype=float32)
    """

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.rate)

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return dropout(x, self.rate, key)
