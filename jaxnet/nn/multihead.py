"""Multi-head attention as a layer, on whole sequences and, with a cache, token by token."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import Blueprint, child, param
from jaxnet.core.checks import check_axes, check_float, check_positive, check_size
from jaxnet.core.errors import brief
from jaxnet.core.layer import Layer
from jaxnet.nn.attention import (
    attention,
    attention_weights,
    blend,
    check_implementation,
    weigh,
)
from jaxnet.nn.attention_mask import (
    Limits,
    Window,
    attention_mask,
    ranked,
    reach,
    scores_shape,
)
from jaxnet.nn.dropout import check_rate
from jaxnet.nn.heads import Heads
from jaxnet.nn.initializers import Normal, zeros
from jaxnet.nn.kv_cache import KVCache
from jaxnet.nn.position import as_positions
from jaxnet.nn.rotary import DynamicScaling


class MultiHeadAttention(Heads):
    """Attention between learnt projections, in several heads: ``[..., T, D] -> [..., T, D]``.

    ``layer(params, x)`` attends to ``x`` itself, ``layer(params, x, memory)`` to ``memory [..., S,
    E]``, whose values may come from ``values [..., S, F]``. Arguments of the call: ``bias``,
    ``mask``, ``query_lengths`` and ``key_lengths`` as in ``attention``, and ``positions [T]`` or
    ``[..., T]`` of the tokens of ``x``, which count from 0 if not given.

    ``head_size`` is by default ``D / heads``, ``value_size`` is ``head_size``, ``groups`` (of heads
    that share keys and values) is ``heads``, and ``features``, the size of the result, is D.
    ``causal``, ``window``, ``scale``, ``soft_cap``, ``dropout`` and ``implementation`` are those of
    ``attention``. Further options:

    - ``bias``, and ``out_bias`` where the last map differs in that;
    - ``fused``: queries, keys and values of ``x`` by one product, from one kernel;
    - ``rotary``, a ``Rotary`` for queries and keys, and ``relative``, a layer of biases such as
      ``RelativePosition`` or ``ALiBi``;
    - ``qk_norm``, a layer such as ``RMSNorm()`` for each head of queries and keys, before turning;
    - ``sinks``, a learnt score of a key with the value zero in each head; ``add_zero``: one of 0;
    - ``bias_kv``: a learnt key and value that all queries see;
    - ``gate``: heads are multiplied by the sigmoid of a map of ``x`` (arXiv:2505.06708).

    Leaves ``query/kernel [D, H, K]``, ``key/kernel [E, G, K]``, ``value/kernel [F, G, V]``,
    ``out/kernel [H, V, features]``, each with a ``bias`` of its last axes; ``gate/kernel [D, H,
    V]``, ``sinks [H]``, ``bias_key [G, K]``, ``bias_value [G, V]``, ``query_norm``, ``key_norm``
    and ``relative``. If ``fused``, ``qkv/kernel [D, H + 2 * G, K]`` stands for the first three, the
    heads of queries before those of keys and of values. ``initializer="torch"`` is that of
    ``torch.nn.MultiheadAttention``, any other as in ``Linear``.
    Raises ValueError if inputs and options do not fit each other.

    >>> layer = MultiHeadAttention(2, causal=True)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 8)))
    >>> layer(params, jnp.ones((3, 5, 8))).shape
    (3, 5, 8)
    """

    _: KW_ONLY
    causal: bool = False
    window: Window | None = None
    scale: float | None = None
    soft_cap: float | None = None
    dropout: float = 0.0
    relative: Layer | None = None
    sinks: bool = False
    add_zero: bool = False
    bias_kv: bool = False
    implementation: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sinks and self.add_zero:
            raise ValueError(
                "MultiHeadAttention has sinks and add_zero, which is a sink that is not learnt; "
                "choose one"
            )
        check_rate(self.dropout)
        check_implementation(self.implementation)
        reach(self.causal, self.window)
        if self.soft_cap is not None:
            check_positive(self.soft_cap, "soft_cap of MultiHeadAttention")

    def __call__(
        self,
        params: Any,
        x: jax.Array,
        memory: jax.Array | None = None,
        values: jax.Array | None = None,
        *,
        bias: jax.Array | None = None,
        mask: jax.Array | None = None,
        query_lengths: jax.Array | None = None,
        key_lengths: jax.Array | None = None,
        positions: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        limits = Limits(bias, mask, self.causal, self.window, query_lengths, key_lengths)
        q, k, v, options = self._prepared(params, (x, memory, values), positions, limits)
        random = {"dropout": self.dropout, "dropout_key": key}
        # What init hands in has the right shapes, but is float32 whatever the call will be.
        chosen = None if isinstance(params, Blueprint) else self.implementation
        y = attention(q, k, v, **options, **random, implementation=chosen)
        return self._out(params, x, y)

    def weights(
        self,
        params: Any,
        x: jax.Array,
        memory: jax.Array | None = None,
        values: jax.Array | None = None,
        *,
        bias: jax.Array | None = None,
        mask: jax.Array | None = None,
        query_lengths: jax.Array | None = None,
        key_lengths: jax.Array | None = None,
        positions: jax.Array | None = None,
    ) -> jax.Array:
        """The weights ``[..., H, T, S]`` of the call without a key; their mean is ``.mean(-3)``.

        With ``bias_kv`` there is one more column. Raises ValueError as the call does.

        >>> layer = MultiHeadAttention(2)
        >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 8)))
        >>> layer.weights(params, jnp.ones((3, 5, 8))).shape
        (3, 2, 5, 5)
        """
        limits = Limits(bias, mask, self.causal, self.window, query_lengths, key_lengths)
        q, k, _, options = self._prepared(params, (x, memory, values), positions, limits)
        return attention_weights(q, k, **options)

    def cache(self, params: Any, batch: tuple[int, ...], length: int) -> KVCache:
        """An empty cache for ``length`` tokens of each example, in the dtype of the kernels.

        >>> layer = MultiHeadAttention(2, causal=True)
        >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 8)))
        >>> layer.cache(params, (3,), 16).key.shape
        (3, 16, 2, 4)
        """
        check_size(length, "length of a cache")
        names = ("qkv", "qkv") if self.fused else ("key", "value")
        key, value = (
            jnp.zeros((*batch, length, self.groups or self.heads, x.shape[-1]), x.dtype)
            for x in (params[name]["kernel"] for name in names)
        )
        return KVCache(key, value, jnp.zeros(batch, jnp.int32))

    def decode(
        self,
        params: Any,
        x: jax.Array,
        cache: KVCache,
        *,
        lengths: jax.Array | None = None,
    ) -> tuple[jax.Array, KVCache]:
        """The call on tokens ``x [..., T, D]`` that follow those in the cache, and the new cache.

        Calls on the pieces of a sequence, a prompt and then token by token, give what one call on
        all of it gives. ``lengths [...]`` says how many of the T tokens each example has; what
        stands behind them is overwritten by the next call. It is computed by XLA.
        Raises ValueError unless ``causal``, for scaling that changes with the length, and for more
        tokens than the cache holds; where ``jit`` hides their number the result is NaN.

        >>> layer = MultiHeadAttention(2, causal=True)
        >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 8)))
        >>> cache = layer.cache(params, (3,), 16)
        >>> y, cache = layer.decode(params, jnp.ones((3, 5, 8)), cache)
        >>> y, cache = layer.decode(params, jnp.ones((3, 1, 8)), cache)
        >>> y.shape, cache.length
        ((3, 1, 8), Array([6, 6, 6], dtype=int32))
        """
        if not self.causal or (self.rotary and isinstance(self.rotary.scaling, DynamicScaling)):
            raise ValueError(
                f"{brief(self)} cannot decode token by token: what it makes of a token must not "
                "change with later ones; give causal=True, and no DynamicScaling"
            )
        _check_sequences(x)
        count = jnp.full_like(cache.length, x.shape[-2]) if lengths is None else lengths
        queries = cache.following(x)
        q, k, v = self._projected(params, (x, x, x), queries, queries)
        if lengths is not None:
            # What is not overwritten stays hidden, but even with a weight of zero NaN is NaN.
            _, _, k, v = Limits(key_lengths=lengths).applied(q, k, v)
        cache = cache.extended(k, v, count)
        keys = jnp.arange(cache.key.shape[-3])
        mask = attention_mask(queries, keys, causal=True, window=self.window)
        k, v, limits, options = self._finished(
            params, q, cache.key, cache.value, Limits(mask=mask), (queries, keys)
        )
        allowed = limits.allowed(scores_shape(q, k))
        y = blend(weigh(q, k, allowed, limits.bias, **options), v)
        fits = jnp.broadcast_to((cache.length <= keys.size)[..., None, None, None], y.shape)
        return self._out(params, x, jnp.where(fits, y, jnp.nan)), cache

    def _prepared(
        self,
        params: Any,
        inputs: tuple[jax.Array, jax.Array | None, jax.Array | None],
        positions: jax.Array | None,
        limits: Limits,
    ) -> tuple[jax.Array, jax.Array, jax.Array, dict[str, Any]]:
        """Queries, keys, values and all other arguments of ``attention``."""
        x, memory, values = inputs
        _check_sequences(x, memory, values)
        if positions is not None and self.rotary is None and self.relative is None:
            raise ValueError(
                f"{brief(self)} was given positions, but has no use for them; "
                "give it rotary or relative, or leave them out"
            )
        given = x.shape[-2] if positions is None else positions
        queries = as_positions(given, "positions of MultiHeadAttention")
        keys = queries if memory is None else jnp.arange(memory.shape[-2])
        memory = x if memory is None else memory
        values = memory if values is None else values
        q, k, v = self._projected(params, (x, memory, values), queries, keys)
        k, v, limits, options = self._finished(params, q, k, v, limits, (queries, keys))
        return q, k, v, limits._asdict() | options

    def _finished(
        self,
        params: Any,
        q: jax.Array,
        k: jax.Array,
        v: jax.Array,
        limits: Limits,
        positions: tuple[jax.Array, jax.Array],
    ) -> tuple[jax.Array, jax.Array, Limits, dict[str, Any]]:
        """Keys, values and limits with all that parameters add to them, and further options."""
        shape = scores_shape(q, k)
        if self.relative is not None:
            added = ranked(self.relative(child(params, "relative"), *positions), shape)
            if limits.bias is not None:
                added = added.astype(limits.bias.dtype) + ranked(limits.bias, shape)
            limits = limits._replace(bias=added)
        if self.bias_kv:
            k, v = _appended(params, "bias_key", k), _appended(params, "bias_value", v)
            limits = limits.extended(shape)
        sinks = None
        if self.sinks or self.add_zero:
            zero = jnp.zeros((self.heads,), q.dtype)
            sinks = param(params, "sinks", (self.heads,), zeros) if self.sinks else zero
        return k, v, limits, {"scale": self.scale, "soft_cap": self.soft_cap, "sinks": sinks}


def _appended(params: Any, name: str, x: jax.Array) -> jax.Array:
    """``[..., S, G, K]`` and a leaf ``[G, K]`` to ``[..., S + 1, G, K]``."""
    shape = x.shape[-2:]
    last = param(params, name, shape, Normal(1 / math.sqrt(math.prod(shape))))
    return jnp.concatenate([x, jnp.broadcast_to(last, (*x.shape[:-3], 1, *shape))], -3)


def _check_sequences(*inputs: jax.Array | None) -> None:
    for x, what in zip(inputs, ("input", "memory", "values"), strict=False):
        if x is not None:
            check_float(x, f"the {what} of MultiHeadAttention")
            check_axes(x, 2, f"the {what} of MultiHeadAttention, [..., T, D],")
