"""Keys and values of the tokens so far, in arrays of a fixed size."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_integers
from jaxnet.core.errors import describe, seen


class KVCache(NamedTuple):
    """Keys ``[..., S, G, K]``, values ``[..., S, G, V]`` and how many of S are filled, ``[...]``.

    ``MultiHeadAttention.cache`` makes an empty one, ``MultiHeadAttention.decode`` fills it.
    """

    key: jax.Array
    value: jax.Array
    length: jax.Array

    def following(self, x: jax.Array) -> jax.Array:
        """The positions ``[..., T]`` of tokens ``x [..., T, D]`` that come next.

        Raises ValueError for another batch than the cache's.
        """
        start = self.length[..., None]
        if x.shape[:-2] != self.length.shape:
            raise ValueError(
                f"x of decode is {describe(x)}, but the cache is one for the batch axes "
                f"{list(self.length.shape)}; make it for the batch of x"
            )
        places = jnp.broadcast_to(jnp.arange(x.shape[-2], dtype=start.dtype), x.shape[:-1])
        return jnp.broadcast_to(start, x.shape[:-1]) + places

    def extended(self, key: jax.Array, value: jax.Array, count: jax.Array) -> "KVCache":
        """With new keys and values ``[..., T, G, K]`` at the end, of which ``count [...]`` count.

        Raises ValueError if they do not fit in; where ``jit`` hides how many there are, the last
        places are overwritten.
        """
        for new, old, what in ((key, self.key, "key"), (value, self.value, "value")):
            room = (*old.shape[:-3], new.shape[-3], *old.shape[-2:])
            if new.shape != room or new.dtype != old.dtype:
                raise ValueError(
                    f"the {what} of the cache is {describe(old)}, but that of the tokens is "
                    f"{describe(new)}; both need one dtype and one shape, but for the axis of time"
                )
        check_integers(count, "lengths of decode")
        if count.shape != self.length.shape:
            raise ValueError(
                f"lengths of decode is {describe(count)}, but must be one for each example: "
                f"{list(self.length.shape)}"
            )
        length = self.length + count.astype(self.length.dtype)
        known = seen(length)
        if known is not None and known.size and known.max() > self.key.shape[-3]:
            raise ValueError(
                f"the cache holds {self.key.shape[-3]} tokens, but is asked to hold {known.max()}; "
                "make it longer"
            )
        write = lambda old, new: _written(old, new, self.length)
        return KVCache(write(self.key, key), write(self.value, value), length)


def _written(old: jax.Array, new: jax.Array, start: jax.Array) -> jax.Array:
    """``old`` with ``new`` from place ``start [...]`` on."""
    update = jax.lax.dynamic_update_slice_in_dim
    for _ in range(start.ndim):
        update = jax.vmap(update, (0, 0, 0, None))
    return update(old, new, start, 0)
