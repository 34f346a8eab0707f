"""Biases for attention's scores that depend on how far a key is from a query."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_integers, check_size
from jaxnet.core.layer import Layer
from jaxnet.nn.initializers import Init, embedding
from jaxnet.nn.position import Positions, as_positions, float_dtype, small


def offsets(queries: jax.Array, keys: jax.Array) -> jax.Array:
    """How far each key is ahead of each query: ``[..., T], [..., S] -> [..., T, S]``."""
    batch = jnp.broadcast_shapes(queries.shape[:-1], keys.shape[:-1])
    shape = (*batch, queries.shape[-1], keys.shape[-1])
    keys = jnp.broadcast_to(keys[..., None, :], shape).astype(queries.dtype)
    return keys - jnp.broadcast_to(queries[..., None], shape)


def alibi(heads: int, queries: Positions, keys: Positions) -> jax.Array:
    """Biases that fall with distance: ``[..., T], [..., S]`` to ``[..., heads, T, S]``.

    ``-slope * |query - key|``; the slopes are ``2**(-8i / n)`` for i from 1 to ``heads``, and where
    ``heads`` is no power of two, those of the next lower one and then every second of the next
    higher one (arXiv:2108.12409 and its code). Raises ValueError for bad sizes.

    >>> alibi(4, 3, 3)[:, 2, 1]
    Array([-0.25      , -0.0625    , -0.015625  , -0.00390625], dtype=float32)
    """
    check_size(heads, "heads of alibi")
    queries = as_positions(queries, "queries of alibi")
    dtype = float_dtype(queries)
    distance = abs(offsets(queries, as_positions(keys, "keys of alibi")))[..., None, :, :]
    lower = 2 ** int(math.log2(heads))
    exponents = [8 * i / lower for i in range(1, lower + 1)]
    exponents += [8 * i / (2 * lower) for i in range(1, 2 * (heads - lower), 2)]
    slopes = jnp.asarray(2.0 ** -np.array(exponents), dtype)[:, None, None]
    shape = (*distance.shape[:-3], heads, *distance.shape[-2:])
    return -jnp.broadcast_to(slopes, shape) * jnp.broadcast_to(distance, shape).astype(dtype)


class ALiBi(Layer):
    """``alibi`` as the ``relative`` bias of ``MultiHeadAttention``; it has no parameters."""

    heads: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.heads, "heads of ALiBi")

    def __call__(
        self, params: Any, queries: Positions, keys: Positions, *, key: jax.Array | None = None
    ) -> jax.Array:
        return alibi(self.heads, queries, keys)


class RelativePosition(Layer):
    """A learnt bias for each distance: ``[..., T], [..., S]`` to ``[..., heads, T, S]``.

    As in T5 (arXiv:1910.10683): near distances have a bucket each, farther ones share buckets that
    widen logarithmically, and all from ``distance`` on share the last. ``bidirectional`` gives one
    half of the buckets to keys ahead of the query; otherwise all those are in bucket 0.
    Leaf ``kernel [buckets, heads]``. Raises ValueError for positions that are not integers.

    >>> layer = RelativePosition(2)
    >>> params = layer.init(jax.random.key(0), 3, 4)
    >>> layer(params, 3, 4).shape
    (2, 3, 4)
    """

    heads: int
    _: KW_ONLY
    buckets: int = 32
    distance: int = 128
    bidirectional: bool = True
    initializer: Init = small

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.heads, "heads of RelativePosition")
        check_size(self.buckets, "buckets of RelativePosition", least=2)
        check_size(self.distance, "distance of RelativePosition")
        sides = 2 if self.bidirectional else 1
        if self.buckets % sides or self.distance <= self.buckets // sides // 2:
            raise ValueError(
                f"RelativePosition has buckets={self.buckets} and distance={self.distance}, but "
                "needs an even number of buckets where it is bidirectional, and a distance "
                "beyond the buckets of one distance each; use more distance or fewer buckets"
            )

    def __call__(
        self, params: Any, queries: Positions, keys: Positions, *, key: jax.Array | None = None
    ) -> jax.Array:
        queries = as_positions(queries, "queries of RelativePosition")
        keys = as_positions(keys, "keys of RelativePosition")
        check_integers(queries, "queries of RelativePosition")
        check_integers(keys, "keys of RelativePosition")
        shape = (self.buckets, self.heads)
        kernel = param(params, "kernel", shape, embedding(self.initializer))
        ahead = jnp.clip(offsets(queries, keys), -self.distance, self.distance)
        table = jnp.asarray(self._buckets())
        return jnp.moveaxis(kernel[table[ahead + self.distance]], -1, -3)

    def _buckets(self) -> np.ndarray:
        """The bucket of each offset from ``-distance`` to ``distance``."""
        count = self.buckets // 2 if self.bidirectional else self.buckets
        exact = count // 2
        # In float32, as everywhere: at the edges of buckets float64 may round to the other side.
        far = np.arange(self.distance + 1, dtype=np.float32)
        ratio = np.log(np.maximum(far, 1) / np.float32(max(exact, 1)))
        ratio = ratio / np.float32(math.log(self.distance / max(exact, 1)))
        wide = exact + (ratio * (count - exact)).astype(np.int32)
        side = np.where(far < exact, far.astype(np.int32), np.minimum(wide, count - 1))
        ahead = side + count if self.bidirectional else np.zeros_like(side)
        return np.concatenate([side[:0:-1], side[:1], ahead[1:]])
