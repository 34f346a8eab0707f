"""Which dtype to compute in, and which are those of random keys."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def at_least_float32(*arrays: Any) -> Any:
    """The widest of float32 and the floating-point dtypes of ``arrays``.

    ``jnp.promote_types`` says the same, but is an error under strict dtype promotion.

    >>> at_least_float32(jnp.ones(3, jnp.bfloat16), jnp.ones(3, int))
    dtype('float32')
    """
    floats = [x.dtype for x in arrays if jnp.issubdtype(x.dtype, jnp.floating)]
    return max([jnp.dtype(jnp.float32), *floats], key=lambda dtype: dtype.itemsize)


def is_key(leaf: Any) -> bool:
    """Whether a leaf is an array of typed random keys."""
    # The first question alone is quick, and its answer for all but keys.
    return not isinstance(leaf.dtype, np.dtype) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
