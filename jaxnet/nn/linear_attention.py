"""Attention in time linear in the length: the softmax's place is taken by a product of features.

``sum_s (f(q) f(k_s)) v_s = f(q) (sum_s f(k_s) v_s)``: the sum in brackets is one matrix, the same
for all queries, or for all in a stretch of time.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.nn.attention_mask import Limits


def _elu_plus_one(x: jax.Array) -> jax.Array:
    # Not elu(x) + 1, whose small values would be rounded to 0.
    return jnp.where(x > 0, x + 1, jnp.exp(jnp.minimum(x, 0)))


def linear_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    *,
    causal: bool = False,
    key_lengths: jax.Array | None = None,
    feature_map: Callable[[jax.Array], jax.Array] | None = _elu_plus_one,
    normalize: bool = True,
    chunk: int = 64,
) -> jax.Array:
    """Means of values, weighted by products of features (arXiv:2006.16236).

    ``[..., T, H, K], [..., S, G, K], [..., S, G, V] -> [..., T, H, V]``, where each of the G heads
    of keys serves H / G heads of queries: ``sum_s w_ts v_s / sum_s w_ts`` with the weights ``w_ts =
    f(q_t) f(k_s)``. The feature map ``f`` is by default ``elu(x) + 1``; with None it is ``x``
    itself. With ``normalize=False`` nothing is divided.

    ``causal`` hides the keys behind a query's own position, ``key_lengths`` those behind the end of
    each example. A query whose weights sum to 0 gets zeros. A causal call takes ``chunk`` positions
    at a time: quadratic within a chunk, and one matrix ``[K, V]`` for all before it.
    Raises ValueError if shapes, dtypes and options do not fit each other.

    >>> x = jnp.eye(3)[:, None]  # [T, H, K]
    >>> linear_attention(x, x, x, causal=True)[2, 0]
    Array([0.3125, 0.3125, 0.375 ], dtype=float32)
    """
    check_size(chunk, "chunk of linear_attention")
    if value.shape[:-1] != key.shape[:-1]:
        raise ValueError(
            f"value of linear_attention is {describe(value)} and key {describe(key)}, but both "
            "must have the same axes [..., S, G]; give each key one value"
        )
    allowed, query, key, value = Limits(key_lengths=key_lengths).applied(query, key, value)
    if causal and query.shape[-3] != key.shape[-3]:
        raise ValueError(
            f"a causal linear_attention needs one key for each query, but query is "
            f"{describe(query)} and key {describe(key)}; leave causal out to attend to another "
            "sequence"
        )
    dtype = at_least_float32(query)
    result = value.dtype
    f = feature_map or (lambda x: x)
    query, key, value = f(query.astype(dtype)), f(key.astype(dtype)), value.astype(dtype)
    if allowed is not None:
        seen = jnp.swapaxes(allowed, -1, -3)  # [..., S, 1, 1]
        key = jnp.where(jnp.broadcast_to(seen, key.shape), key, jnp.zeros_like(key))
    if normalize:
        # One more feature, which is 1, sums the weights.
        value = jnp.concatenate([value, jnp.ones((*value.shape[:-1], 1), dtype)], -1)
    *batch, length, heads, size = query.shape
    query = query.reshape(*batch, length, key.shape[-2], -1, size)  # [..., T, G, H / G, K]
    sums = _causal(query, key, value, chunk) if causal else _all(query, key, value)
    if normalize:
        total = sums[..., -1:]
        nothing = total == 0
        sums = sums[..., :-1] / jnp.where(nothing, jnp.ones_like(total), total)
        sums = jnp.where(jnp.broadcast_to(nothing, sums.shape), jnp.zeros_like(sums), sums)
    return sums.reshape(*batch, length, heads, -1).astype(result)


def _all(query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    """Each query with all keys."""
    memory = jnp.einsum("...sgk,...sgv->...gkv", key, value)
    return jnp.einsum("...tgrk,...gkv->...tgrv", query, memory)


def _causal(query: jax.Array, key: jax.Array, value: jax.Array, chunk: int) -> jax.Array:
    """Each query with the keys up to its own, by chunks ``[..., N, C, …]`` of time."""
    length = key.shape[-3]
    chunk = min(chunk, length) or 1
    q, k, v = _cut(query, 4, chunk), _cut(key, 3, chunk), _cut(value, 3, chunk)
    own = jnp.einsum("...cgk,...cgv->...gkv", k, v)
    until = jnp.cumsum(own, -4)
    before = jnp.concatenate([jnp.zeros_like(own[..., :1, :, :, :]), until[..., :-1, :, :, :]], -4)
    weights = jnp.einsum("...cgrk,...dgk->...grcd", q, k)
    weights = jnp.where(jnp.broadcast_to(jnp.tri(chunk, dtype=bool), weights.shape), weights, 0)
    y = jnp.einsum("...grcd,...dgv->...cgrv", weights, v)
    y = y + jnp.einsum("...cgrk,...gkv->...cgrv", q, before)
    y = y.reshape(*query.shape[:-4], -1, *y.shape[-3:])
    return y[..., :length, :, :, :]


def _cut(x: jax.Array, axes: int, chunk: int) -> jax.Array:
    """Time, the first of the last ``axes`` axes, in chunks, the last filled up with zeros."""
    at = x.ndim - axes
    widths = [(0, 0)] * x.ndim
    widths[at] = (0, -x.shape[at] % chunk)
    return jnp.pad(x, widths).reshape(*x.shape[:at], -1, chunk, *x.shape[at + 1 :])
