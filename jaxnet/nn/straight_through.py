"""The value of one array with the gradient of another."""

from typing import Any

import jax

from jaxnet.core.checks import check_float
from jaxnet.core.errors import describe


@jax.custom_jvp
def straight_through(value: jax.Array, surrogate: jax.Array) -> jax.Array:
    """``value``, whose gradient goes to ``surrogate`` as if that had been returned.

    For what has no useful gradient, as rounding does not: ``straight_through(jnp.round(x), x)``
    (arXiv:1308.3432). Raises ValueError unless both have one shape and dtype.

    >>> x = jax.numpy.ones(1)
    >>> jax.grad(lambda x: straight_through(jax.numpy.round(x), x).sum())(x / 3)
    Array([1.], dtype=float32)
    """
    check_float(surrogate, "the surrogate of straight_through")
    if value.shape != surrogate.shape or value.dtype != surrogate.dtype:
        raise ValueError(
            "value and surrogate of straight_through must have one shape and dtype, but are "
            f"{describe(value)} and {describe(surrogate)}"
        )
    return value


@straight_through.defjvp
def _(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    return straight_through(*primals), tangents[1]
