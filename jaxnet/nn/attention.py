"""Attention: each query takes a mean of the values, weighted by how well its key fits.

Heads stand before the features, ``[..., T, H, K]``; heads of queries may share those of keys.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_choice, check_positive
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.nn import attention_cudnn
from jaxnet.nn.attention_mask import Limits, Window, finite, scores_shape
from jaxnet.nn.dropout import dropout as drop


def attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    *,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
    causal: bool = False,
    window: Window | None = None,
    query_lengths: jax.Array | None = None,
    key_lengths: jax.Array | None = None,
    scale: float | None = None,
    soft_cap: float | None = None,
    sinks: jax.Array | None = None,
    dropout: float = 0.0,
    dropout_key: jax.Array | None = None,
    implementation: str | None = None,
) -> jax.Array:
    """Scaled dot-product attention: ``[..., T, H, K], [..., S, G, K], [..., S, G, V]``.

    Returns ``[..., T, H, V]``: ``softmax(cap(scale * query @ key) + bias) @ value``, with a scale
    of ``1/sqrt(K)`` if not given and ``cap(s) = soft_cap * tanh(s / soft_cap)`` if that is given
    (arXiv:1706.03762). Each of the G heads of keys serves H / G heads of queries
    (arXiv:2305.13245).

    A query sees the keys that all of these let it see: ``mask``, True where it may attend,
    ``[T, S]``, ``[..., T, S]`` or ``[..., H, T, S]``; ``causal`` and ``window`` as in
    ``attention_mask``; ``query_lengths`` and ``key_lengths``, one length for each example.
    ``bias`` broadcasts to ``[..., H, T, S]``, and hides a key where it is minus infinity. A query
    that sees nothing gets zeros. What masks and lengths hide from all queries is never read, even
    if it is NaN.

    ``sinks [H]`` are the scores of one more key in each head, whose value is zero.
    ``dropout`` is the share of weights that is dropped if there is a ``dropout_key``.

    On a GPU cuDNN's kernel holds no scores. It is for 16-bit floats, heads of 8, 16, … features and
    as many in a value, and does no ``soft_cap``, ``sinks`` and dropout, and no ``bias`` or ``mask``
    of an odd length. ``implementation="cudnn"`` demands it, ``"xla"`` never takes it, and by
    default it is taken where the program is for a GPU of NVIDIA's, lengths are at least 256, heads
    at most 128 and there is neither ``bias`` nor ``mask``. It has no forward mode (jvp, jacfwd);
    ``"xla"`` has.
    Raises ValueError if shapes, dtypes and options do not fit each other or the implementation.

    >>> x = jnp.eye(3)[:, None]  # [T, H, K]
    >>> attention(x, x, x, causal=True)[2, 0]
    Array([0.26, 0.26, 0.47], dtype=float32)
    """
    check_implementation(implementation)
    if value.shape[:-1] != key.shape[:-1]:
        raise ValueError(
            f"value of attention is {describe(value)} and key {describe(key)}, but both must have "
            "the same axes [..., S, G]; give each key one value"
        )
    limits = Limits(bias, mask, causal, window, query_lengths, key_lengths)
    allowed, query, key, value = limits.applied(query, key, value)
    dropped = dropout if dropout_key is not None else 0
    options = {"soft_cap": soft_cap, "sinks": sinks, "dropout": dropped or None}
    if _by_cudnn(implementation, (query, key, value), limits, scale, options):
        forced = implementation == "cudnn"
        return attention_cudnn.fused(query, key, value, limits, scale, _plain, forced=forced)
    empties = limits.empties(scores_shape(query, key))
    weights = weigh(query, key, allowed, bias, scale, soft_cap, sinks, empties=empties)
    return blend(drop(weights, dropout, dropout_key), value)


def _by_cudnn(
    implementation: str | None,
    inputs: tuple[jax.Array, jax.Array, jax.Array],
    limits: Limits,
    scale: Any,
    options: dict[str, Any],
) -> bool:
    if implementation == "cudnn":
        if problem := attention_cudnn.obstacle(*inputs, limits, scale, options):
            raise ValueError(
                f"implementation='cudnn' was asked for, but {problem}, or use implementation='xla'"
            )
        return True
    return (
        implementation is None
        and attention_cudnn.pays(*inputs[:2], limits)
        and attention_cudnn.obstacle(*inputs, limits, scale, options) is None
    )


def _plain(
    query: jax.Array, key: jax.Array, value: jax.Array, limits: Limits, scale: float | None
) -> jax.Array:
    shape = scores_shape(query, key)
    allowed, empties = limits.allowed(shape), limits.empties(shape)
    weights = weigh(query, key, allowed, limits.bias, scale, None, None, empties=empties)
    return blend(weights, value)


def attention_weights(
    query: jax.Array,
    key: jax.Array,
    *,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
    causal: bool = False,
    window: Window | None = None,
    query_lengths: jax.Array | None = None,
    key_lengths: jax.Array | None = None,
    scale: float | None = None,
    soft_cap: float | None = None,
    sinks: jax.Array | None = None,
) -> jax.Array:
    """By which weights ``attention`` would take its means: ``[..., H, T, S]``.

    Arguments as in ``attention``. Rows sum to 1, less what goes to sinks; those of queries that
    see nothing are zeros. Raises ValueError if shapes, dtypes and options do not fit each other.

    >>> x = jnp.eye(2)[:, None]  # [T, H, K]
    >>> attention_weights(x, x, causal=True)
    Array([[[1.  , 0.  ],
            [0.33, 0.67]]], dtype=float32)
    """
    limits = Limits(bias, mask, causal, window, query_lengths, key_lengths)
    allowed, query, key = limits.applied(query, key)
    empties = limits.empties(scores_shape(query, key))
    weights = weigh(query, key, allowed, bias, scale, soft_cap, sinks, empties=empties)
    return weights.astype(query.dtype)


def weigh(
    query: jax.Array,
    key: jax.Array,
    allowed: jax.Array | None,
    bias: jax.Array | None,
    scale: float | None,
    soft_cap: float | None,
    sinks: jax.Array | None,
    *,
    empties: bool = True,
) -> jax.Array:
    """The weights ``[..., H, T, S]``, in at least float32; ``empties`` as in ``Limits``."""
    *batch, length, heads, size = query.shape
    groups = key.shape[-2]
    if sinks is not None and sinks.shape != (heads,):
        raise ValueError(
            f"sinks of attention is {describe(sinks)}, but must have one score for each of the "
            f"{heads} heads of the query"
        )
    dtype = at_least_float32(query)
    # Heads first, for on CPU the gradients' products would copy scores instead of queries and keys.
    grouped = query.swapaxes(-3, -2).reshape(*batch, groups, heads // groups * length, size)
    key = key.swapaxes(-3, -2)
    scores = jnp.einsum("...tk,...sk->...ts", grouped, key, preferred_element_type=dtype)
    scores = scores.reshape(*batch, heads, length, key.shape[-2])
    scores = scores * (1 / math.sqrt(size) if scale is None else scale)
    if soft_cap is not None:
        check_positive(soft_cap, "soft_cap of attention")
        scores = soft_cap * jnp.tanh(scores / soft_cap)
    if bias is not None:
        scores = scores + jnp.broadcast_to(finite(bias).astype(dtype), scores.shape)
    return masked_softmax(scores, allowed, sinks, empties=empties)


def masked_softmax(
    scores: jax.Array,
    allowed: jax.Array | None,
    sinks: jax.Array | None = None,
    *,
    empties: bool = True,
) -> jax.Array:
    """Weights of scores ``[..., H, T, S]``; what is not allowed has none, nor has an empty row."""
    if allowed is not None:
        scores = jnp.where(allowed, scores, jnp.finfo(scores.dtype).min)
    weights = jax.nn.softmax(scores, -1)
    if sinks is not None:
        # Beside one more score, all others keep the share sum(exp(scores)) of the new sum.
        given = jnp.broadcast_to(sinks.astype(scores.dtype)[:, None, None], (*scores.shape[:-1], 1))
        total = jax.nn.logsumexp(scores, -1, keepdims=True)
        weights = weights * jax.nn.sigmoid(total - given)
    if allowed is not None and empties:
        seeing = jnp.broadcast_to(allowed.any(-1, keepdims=True), weights.shape)
        weights = jnp.where(seeing, weights, jnp.zeros_like(weights))
    return weights


def blend(weights: jax.Array, value: jax.Array) -> jax.Array:
    """``[..., H, T, S], [..., S, G, V] -> [..., T, H, V]``."""
    *batch, heads, length, keys = weights.shape
    groups, size = value.shape[-2:]
    grouped = weights.astype(value.dtype).reshape(*batch, groups, heads // groups * length, keys)
    mean = jnp.einsum("...ts,...sv->...tv", grouped, value.swapaxes(-3, -2))
    return mean.reshape(*batch, heads, length, size).swapaxes(-3, -2)


def check_implementation(name: str | None) -> None:
    """Raise unless ``name`` is an implementation."""
    if name is not None:
        check_choice(name, ("xla", "cudnn"), "implementation", "attention")
