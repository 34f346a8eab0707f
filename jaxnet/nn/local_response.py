"""Normalisation of each feature by its neighbours."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_positive, check_size
from jaxnet.core.layer import Layer
from jaxnet.nn.moments import check_features, wide
from jaxnet.nn.pool import avg_pool


def local_response_norm(
    x: jax.Array, size: int, *, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> jax.Array:
    """``x / (k + alpha * mean(x^2))^beta``, the mean over ``size`` neighbouring features.

    ``[..., C]`` to the same. Beyond the ends there are zeros, which count; of an even ``size`` one
    feature more lies before than after. Raises ValueError for ``alpha`` or ``k`` not above 0.
    From Krizhevsky, Sutskever and Hinton (2012).

    >>> local_response_norm(jnp.array([3.0, 4.0]), 1, alpha=1.0, beta=0.5, k=1e-9)
    Array([1., 1.], dtype=float32)
    """
    check_features(x, 1, "local_response_norm")
    check_size(size, "size of local_response_norm")
    check_positive(alpha, "alpha of local_response_norm")
    check_positive(k, "k of local_response_norm")
    y = wide(x, None, "local_response_norm")
    before, after = size // 2, (size - 1) // 2
    power = avg_pool(jnp.square(y)[..., None], (size,), stride=1, padding=((before, after),))
    return (y / jnp.power(k + alpha * power[..., 0], beta)).astype(x.dtype)


class LocalResponseNorm(Layer):
    """``local_response_norm`` as a layer without parameters, for ``Sequential``.

    >>> LocalResponseNorm(3)({}, jnp.ones((2, 8, 8, 4))).shape
    (2, 8, 8, 4)
    """

    size: int
    _: KW_ONLY
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.size, "size of LocalResponseNorm")
        check_positive(self.alpha, "alpha of LocalResponseNorm")
        check_positive(self.k, "k of LocalResponseNorm")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return local_response_norm(x, self.size, alpha=self.alpha, beta=self.beta, k=self.k)
