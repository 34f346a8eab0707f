"""Bags of embeddings: the rows of several ids as one vector."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_axes, check_choice, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers
from jaxnet.nn.embed import check_ids, check_lookup, look_up, table

_MODES = ("mean", "sum", "max")


def embedding_bag(
    ids: jax.Array,
    kernel: jax.Array,
    *,
    mode: str = "mean",
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    padding: int | None = None,
    max_norm: float | None = None,
    norm: float = 2.0,
    scale_by_frequency: bool = False,
) -> jax.Array:
    """The mean, sum or maximum of each bag's rows: ids ``[..., L]`` to ``[..., D]``.

    Ids count where ``mask [..., L]`` is True and they are not ``padding``; the others fill bags of
    unequal size up, and what is no bag at all becomes zeros. ``weights [..., L]`` weigh a sum.
    Of equal maxima the first takes the gradient. Other options are as in ``embed``.
    Raises ValueError for another mode, for weights of what is no sum, and if shapes differ.

    >>> kernel = jnp.array([[1.0], [2.0], [6.0]])
    >>> embedding_bag(jnp.array([[0, 2], [1, 0]]), kernel, padding=0)
    Array([[6.],
           [2.]], dtype=float32)
    """
    ids = jnp.asarray(ids)
    check_ids(ids, kernel, "embedding_bag")
    check_axes(ids, 1, "ids of embedding_bag")
    check_lookup(kernel.shape[0], padding, max_norm, norm, "embedding_bag")
    check_choice(mode, _MODES, "mode", "embedding_bag")
    _check_weights(weights, ids, mode)
    if mask is not None and (mask.shape != ids.shape or mask.dtype != bool):
        raise ValueError(
            f"mask of embedding_bag must be bool of the ids' shape {ids.shape}, but is "
            f"{describe(mask)}; convert it: mask.astype(bool)"
        )
    counts = jnp.ones(ids.shape, bool) if mask is None else mask
    if padding is not None:
        counts = counts & (ids != padding % kernel.shape[0])
    rows = look_up(ids, kernel, counts, max_norm, norm, scale_by_frequency)  # [..., L, D]
    wide = rows.astype(at_least_float32(rows))
    if mode == "max":
        # An empty bag has no maximum, and its rows do not learn.
        least = jnp.where(counts[..., None], wide, jnp.finfo(wide.dtype).min)
        first = jax.lax.stop_gradient(least).argmax(-2, keepdims=True)
        bag = jnp.take_along_axis(wide, first, -2).squeeze(-2)
        return jnp.where(counts.any(-1, keepdims=True), bag, 0).astype(rows.dtype)
    shares = counts.astype(wide.dtype)
    if mode == "mean":
        shares = shares / jnp.maximum(shares.sum(-1, keepdims=True), 1)
    if weights is not None:
        shares = shares * weights.astype(wide.dtype)
    return (wide * shares[..., None]).sum(-2).astype(rows.dtype)


class EmbeddingBag(Layer):
    """``embedding_bag`` with a learnt table: ids ``[..., L]`` to ``[..., features]``.

    Leaf ``kernel [vocabulary, features]``, made as that of ``Embed``.

    >>> layer = EmbeddingBag(100, 8, mode="sum", padding=0)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 4), jnp.int32))
    >>> layer(params, jnp.array([[3, 5, 3, 0]])).shape
    (1, 8)
    """

    vocabulary: int
    features: int
    _: KW_ONLY
    mode: str = "mean"
    padding: int | None = None
    max_norm: float | None = None
    norm: float = 2.0
    scale_by_frequency: bool = False
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.vocabulary, "vocabulary of EmbeddingBag")
        check_size(self.features, "features of EmbeddingBag")
        check_lookup(self.vocabulary, self.padding, self.max_norm, self.norm, "EmbeddingBag")
        check_choice(self.mode, _MODES, "mode", "EmbeddingBag")

    def __call__(
        self,
        params: Any,
        ids: jax.Array,
        *,
        weights: jax.Array | None = None,
        mask: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        init = table(self.initializer, self.padding)
        return embedding_bag(
            ids,
            param(params, "kernel", (self.vocabulary, self.features), init),
            mode=self.mode,
            weights=weights,
            mask=mask,
            padding=self.padding,
            max_norm=self.max_norm,
            norm=self.norm,
            scale_by_frequency=self.scale_by_frequency,
        )


def split_bags(x: jax.Array, offsets: jax.Array, longest: int) -> tuple[jax.Array, jax.Array]:
    """Bags that lie one after the other as rows of one length, and their mask.

    ``x [N]`` holds ids or weights, ``offsets [B]`` where each bag begins, the first at 0; the
    result is ``[B, longest]`` of each. What a bag has beyond ``longest`` is left out, and what the
    mask hides is whatever comes next.
    Raises ValueError for other shapes or dtypes.

    >>> split_bags(jnp.array([5, 6, 7]), jnp.array([0, 1]), 2)
    (Array([[5, 6],
           [6, 7]], dtype=int32), Array([[ True, False],
           [ True,  True]], dtype=bool))
    """
    check_size(longest, "longest of split_bags")
    if x.ndim != 1:
        raise ValueError(f"x of split_bags must have one axis, but is {describe(x)}")
    if offsets.ndim != 1 or not jnp.issubdtype(offsets.dtype, jnp.integer):
        raise ValueError(
            f"offsets of split_bags must be integers on one axis, but are {describe(offsets)}; "
            "convert them: offsets.astype(jnp.int32)"
        )
    ends = jnp.concatenate([offsets[1:], jnp.full(1, x.shape[0], offsets.dtype)])
    steps = jnp.arange(longest, dtype=offsets.dtype)
    places = jnp.expand_dims(offsets, 1) + jnp.expand_dims(steps, 0)  # [B, longest]
    # Where there is no more it takes the zero, also where there is nothing at all.
    rows = jnp.pad(x, (0, 1)).at[places].get(mode="clip")
    return rows, places < jnp.broadcast_to(ends[:, None], places.shape)


def _check_weights(weights: Any, ids: jax.Array, mode: str) -> None:
    if weights is None:
        return
    if mode != "sum":
        raise ValueError(f"weights of embedding_bag weigh a sum, but mode={mode!r}; use mode='sum'")
    if weights.shape != ids.shape:
        raise ValueError(
            f"weights of embedding_bag must have the ids' shape {ids.shape}, one an id, but are "
            f"{describe(weights)}"
        )
