"""Attention whose scores are a sum over ``tanh(query + key)``."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_axes, check_float
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn.attention import blend, masked_softmax
from jaxnet.nn.attention_mask import Limits
from jaxnet.nn.dropout import check_rate
from jaxnet.nn.dropout import dropout as drop
from jaxnet.nn.initializers import Uniform


def additive_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    scale: jax.Array | None = None,
    *,
    mask: jax.Array | None = None,
    causal: bool = False,
    query_lengths: jax.Array | None = None,
    key_lengths: jax.Array | None = None,
    dropout: float = 0.0,
    dropout_key: jax.Array | None = None,
) -> jax.Array:
    """Attention with scores from ``tanh(query + key)``: ``[..., T, D]`` to ``[..., T, V]``.

    ``softmax(sum(scale * tanh(query + key))) @ value`` with ``key [..., S, D]``, ``value
    [..., S, V]`` and ``scale [D]``, which is 1 if not given. There are no heads, and no maps of
    query and key, which Bahdanau's attention (arXiv:1409.0473) has before it: see ``Linear``.
    ``mask [T, S]`` or ``[..., T, S]`` and the other options are those of ``attention``.
    Raises ValueError if shapes and dtypes do not fit each other.

    >>> additive_attention(jnp.ones((1, 2)), jnp.eye(2), jnp.eye(2))
    Array([[0.5, 0.5]], dtype=float32)
    """
    for x, what in ((query, "query"), (key, "key"), (value, "value")):
        check_float(x, f"{what} of additive_attention")
        check_axes(x, 2, f"{what} of additive_attention, [..., T, D],")
    fits = query.shape[:-2] == key.shape[:-2] and query.shape[-1] == key.shape[-1]
    if not fits or value.shape[:-1] != key.shape[:-1] or len({query.dtype, key.dtype}) > 1:
        raise ValueError(
            f"query of additive_attention is {describe(query)}, key {describe(key)} and value "
            f"{describe(value)}, but must be [..., T, D], [..., S, D] and [..., S, V] of one "
            "dtype; map query and key to one size with Linear"
        )
    if scale is not None and scale.shape != query.shape[-1:]:
        raise ValueError(
            f"scale of additive_attention is {describe(scale)}, but must have the shape "
            f"{list(query.shape[-1:])}, one factor for each feature of the query"
        )
    limits = Limits(None, mask, causal, None, query_lengths, key_lengths)
    heads = [jnp.expand_dims(x, -2) for x in (query, key, value)]  # [..., T, 1, D]
    allowed, query, key, value = limits.applied(*heads)
    dtype = at_least_float32(query)
    shape = (*query.shape[:-3], query.shape[-3], key.shape[-3], query.shape[-1])
    later = jnp.broadcast_to(jnp.swapaxes(key, -3, -2), shape).astype(dtype)
    terms = jnp.tanh(jnp.broadcast_to(query, shape).astype(dtype) + later)
    if scale is not None:
        terms = terms * jnp.broadcast_to(scale.astype(dtype), shape)
    weights = masked_softmax(jnp.expand_dims(terms.sum(-1), -3), allowed)
    return jnp.squeeze(blend(drop(weights, dropout, dropout_key), value), -2)


class AdditiveAttention(Layer):
    """``additive_attention`` with a learnt scale: ``[..., T, D], [..., S, D]`` to ``[..., T, D]``.

    ``layer(params, query, memory, value)``, where ``memory`` has the keys and, if there is no
    ``value``, the values, too. Leaf ``scale [D]``, only if switched on.

    >>> layer = AdditiveAttention()
    >>> x, memory = jnp.ones((1, 3, 4)), jnp.ones((1, 5, 4))
    >>> params = layer.init(jax.random.key(0), x, memory)
    >>> layer(params, x, memory).shape
    (1, 3, 4)
    """

    _: KW_ONLY
    scale: bool = True
    causal: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.dropout)

    def __call__(
        self,
        params: Any,
        query: jax.Array,
        memory: jax.Array,
        value: jax.Array | None = None,
        *,
        mask: jax.Array | None = None,
        query_lengths: jax.Array | None = None,
        key_lengths: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        check_float(query, "query of AdditiveAttention")
        check_axes(query, 2, "query of AdditiveAttention, [..., T, D],")
        size = query.shape[-1]
        init = Uniform(math.sqrt(3 / size))  # Keras's Glorot uniform of a vector
        return additive_attention(
            query,
            memory,
            memory if value is None else value,
            param(params, "scale", (size,), init) if self.scale else None,
            mask=mask,
            causal=self.causal,
            query_lengths=query_lengths,
            key_lengths=key_lengths,
            dropout=self.dropout,
            dropout_key=key,
        )
