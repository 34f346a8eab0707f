"""JAX's own random numbers as one kernel on a CPU, compiled and drawn several times as fast.

There JAX computes Threefry as a loop over rounds, of which each passes over all bits in memory.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_NAME = "threefry2x32"
_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
_PARITY = 0x1BD11BDA
_COUNTABLE = 2**32


def written_out(key: jax.Array) -> jax.Array:
    """The same key, of which all draws are the same numbers, on a CPU from one kernel.

    Keys of another generator, or of Threefry's older form, are returned as they are.

    >>> key = jax.random.key(0)
    >>> bool(jax.random.bits(written_out(key)) == jax.random.bits(key))
    True
    """
    partitionable = jax.config.jax_threefry_partitionable  # pyright: ignore[reportAttributeAccessIssue]
    known = partitionable and str(jax.random.key_impl(key)) == _NAME
    generator = _generator() if known and jax.default_backend() == "cpu" else None
    if generator is None:
        return key
    return jax.random.wrap_key_data(jax.random.key_data(key), impl=generator)


def split(key: jax.Array, n: int) -> jax.Array:
    """``jax.random.split``, with keys of the same kind as the one that is given."""
    return _like(jax.random.split(written_out(key), n), key)


def fold_in(key: jax.Array, data: Any) -> jax.Array:
    """``jax.random.fold_in``, likewise."""
    return _like(jax.random.fold_in(written_out(key), data), key)


def _like(keys: jax.Array, key: jax.Array) -> jax.Array:
    if keys.dtype == key.dtype:
        return keys
    return jax.random.wrap_key_data(jax.random.key_data(keys), impl=_NAME)


@jax.jit
def _hashed(key: jax.Array, low: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Threefry-2x32 of 20 rounds (Salmon et al. 2011, doi:10.1145/2063384.2063405)."""
    first, second = key[0], key[1]
    words = first, second, first ^ second ^ np.uint32(_PARITY)
    a, b = jnp.broadcast_to(first, low.shape), low + second
    for group in range(1, 6):
        for distance in _ROTATIONS[(group - 1) % 2]:
            a = lax.add(a, b)
            left = lax.shift_left(b, np.uint32(distance))
            right = lax.shift_right_logical(b, np.uint32(32 - distance))
            b = lax.bitwise_xor(a, lax.bitwise_or(left, right))
        a = lax.add(a, words[group % 3])
        b = lax.add(b, lax.add(words[(group + 1) % 3], np.uint32(group)))
    return a, b


def _places(shape: tuple[int, ...]) -> jax.Array:
    """The place of each entry in the order of memory, below ``2^32``."""
    places = jnp.zeros(shape, jnp.uint32)
    for axis in range(len(shape)):
        # It is 2^32 or more only where the axis has one entry, or the array none.
        stride = jnp.uint32(math.prod(shape[axis + 1 :]) % 2**32)
        places = places + stride * lax.broadcasted_iota(jnp.uint32, shape, axis)
    return places


def _bits(key: jax.Array, width: int, shape: tuple[int, ...]) -> jax.Array:
    dtype = jnp.dtype(f"uint{width}")
    if math.prod(shape) > _COUNTABLE:
        return jax.random.bits(jax.random.wrap_key_data(key, impl=_NAME), shape, dtype)
    high, low = _hashed(key, _places(shape))
    if width == 64:
        bits = high.astype(dtype) << jnp.asarray(32, dtype) | low.astype(dtype)
    else:
        bits = (high ^ low).astype(dtype)
    # Without the barrier XLA would draw a mask anew for each entry that it is broadcast to.
    return lax.optimization_barrier(bits)


def _split(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jnp.stack(_hashed(key, _places(shape)), axis=-1)


def _fold_in(key: jax.Array, data: Any) -> jax.Array:
    return jnp.stack(_hashed(key, jnp.asarray(data, jnp.uint32)))


@functools.cache
def _generator() -> Any:
    """What JAX is to draw with; None where it has no place for that, which it does not promise."""
    try:
        from jax.extend.random import define_prng_impl

        return define_prng_impl(
            key_shape=(2,),
            seed=lambda seed: jax.random.key_data(jax.random.key(seed, impl=_NAME)),
            split=_split,
            random_bits=_bits,
            fold_in=_fold_in,
            name="threefry2x32, written out",
            tag="threefry",
        )
    except (ImportError, TypeError):
        return None
