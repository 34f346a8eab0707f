"""Rounding at random: up or down, as often as gives the number itself on average."""

import jax
import jax.numpy as jnp

from jaxnet.core.threefry import written_out


def round_stochastically(x: jax.Array, key: jax.Array) -> jax.Array:
    """``x`` in bfloat16, each entry one of its two neighbours, whose mean is the entry.

    Raises ValueError unless ``x`` is float32. What bfloat16 cannot hold is rounded as usual.

    >>> x = jnp.full(10_000, 1 + 1 / 512)
    >>> round_stochastically(x, jax.random.key(0)).mean(dtype=jnp.float32).round(3)
    Array(1.002, dtype=float32)
    """
    if x.dtype != jnp.float32:
        raise ValueError(f"stochastic rounding is from float32, but the weight is {x.dtype}")
    # bfloat16 is the upper half of float32: noise in the lower half carries as often as it should.
    bits = jax.lax.bitcast_convert_type(x, jnp.uint32)
    noise = jax.random.bits(written_out(key), x.shape, jnp.uint16).astype(jnp.uint32)
    rounded = jax.lax.bitcast_convert_type((bits + noise) & jnp.uint32(0xFFFF0000), jnp.float32)
    # A carry would turn NaN into a number and the largest numbers into infinity.
    held = jnp.abs(x) < jnp.finfo(jnp.bfloat16).max.astype(jnp.float32)
    return jnp.where(held, rounded, x).astype(jnp.bfloat16)
