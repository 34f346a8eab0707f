"""Dynamic loss scaling: as large a factor as float16 gradients can bear.

The scale and the number of good steps since it last changed are ``state.extra["scale"]``.
"""

import jax
import jax.numpy as jnp

from jaxnet.train.precision import Precision

type Scale = dict[str, jax.Array]

# The largest power of two in float32: doubled once more, the scale would be infinite for good.
_MOST = 2.0**127


def start(precision: Precision) -> Scale:
    """The scale to begin with."""
    return {
        "scale": jnp.asarray(precision.scale, jnp.float32),
        "good_steps": jnp.zeros((), jnp.int32),
    }


def adapt(old: Scale, good: jax.Array, period: int) -> Scale:
    """The scale after a step whose gradients were finite, or not.

    >>> adapt(start(Precision("float16", scale=8)), jnp.array(False), 2000)["scale"]
    Array(4., dtype=float32)
    """
    scale, steps = old["scale"], old["good_steps"] + 1
    full = steps >= period
    grown = jnp.where(full, jnp.minimum(2 * scale, _MOST), scale)
    return {
        "scale": jnp.where(good, grown, jnp.maximum(scale / 2, 1)),
        "good_steps": jnp.where(good & ~full, steps, 0),
    }
