"""Which dtype to compute in."""

from typing import Any

import jax.numpy as jnp


def at_least_float32(*arrays: Any) -> Any:
    """The widest of float32 and the floating-point dtypes of ``arrays``.

    ``jnp.promote_types`` says the same, but is an error under strict dtype promotion.

    >>> at_least_float32(jnp.ones(3, jnp.bfloat16), jnp.ones(3, int))
    dtype('float32')
    """
    floats = [x.dtype for x in arrays if jnp.issubdtype(x.dtype, jnp.floating)]
    return max([jnp.dtype(jnp.float32), *floats], key=lambda dtype: dtype.itemsize)
