"""Example inputs with a batch of two."""

import jax
import jax.numpy as jnp


def normal(*shape: int) -> jax.Array:
    """Standard normal numbers, the same for the same shape."""
    return jax.random.normal(jax.random.key(len(shape)), shape)


VECTOR, SEQUENCE = normal(2, 4), normal(2, 7, 4)
IMAGE, VOLUME = normal(2, 5, 6, 2), normal(2, 3, 4, 3, 2)
IDS = jnp.array([[1, 6, 0], [5, 2, 1]])
