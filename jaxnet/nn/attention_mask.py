"""Which query may attend to which key: bands, masks and lengths as one boolean array."""

import functools
import operator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_float, check_integers, check_size
from jaxnet.core.errors import describe
from jaxnet.nn.position import Positions, as_positions
from jaxnet.nn.position_bias import offsets

type Window = int | tuple[int | None, int | None]


def attention_mask(
    queries: Positions, keys: Positions, *, causal: bool = False, window: Window | None = None
) -> jax.Array:
    """Whether a query at one position sees a key at another: ``[..., T], [..., S]`` to bools.

    ``queries`` and ``keys`` are positions, or a number of them counted from 0. ``causal`` hides
    the keys behind a query's own position. ``window`` is how far it sees: ``(left, right)``, where
    None is without end, or one int for both; its own position is not counted.
    Returns ``[..., T, S]``, True where a query may attend. Raises ValueError for bad options.

    >>> attention_mask(3, 4, causal=True, window=1).astype(int)
    Array([[1, 0, 0, 0],
           [1, 1, 0, 0],
           [0, 1, 1, 0]], dtype=int32)
    """
    left, right = reach(causal, window)
    queries = as_positions(queries, "queries of attention_mask")
    keys = as_positions(keys, "keys of attention_mask")
    ahead = offsets(queries, keys)
    visible = jnp.ones(ahead.shape, bool)
    if left is not None:
        visible &= ahead >= -left
    if right is not None:
        visible &= ahead <= right
    return visible


def reach(causal: bool, window: Window | None) -> tuple[int | None, int | None]:
    """How far a query sees to the left and to the right; None is without end."""
    pair = window if isinstance(window, tuple) else (window, window)
    if len(pair) != 2:
        raise ValueError(f"window must be an int or a pair (left, right), but is {window!r}")
    for size in pair:
        if size is not None:
            check_size(size, "window of attention", least=0)
    left, right = pair
    return left, 0 if causal else right


class Limits(NamedTuple):
    """All that says which query may attend to which key; see ``attention``."""

    bias: jax.Array | None = None
    mask: jax.Array | None = None
    causal: bool = False
    window: Window | None = None
    query_lengths: jax.Array | None = None
    key_lengths: jax.Array | None = None

    def allowed(self, shape: tuple[int, ...]) -> jax.Array | None:
        """The limits in one, broadcasting to ``shape [..., H, T, S]``; None if there are none."""
        batch, (_, queries, keys) = shape[:-3], shape[-3:]
        parts = []
        if reach(self.causal, self.window) != (None, None):
            places = jnp.arange(queries), jnp.arange(keys)
            band = attention_mask(*places, causal=self.causal, window=self.window)
            parts.append(ranked(band, shape))
        if self.bias is not None:
            parts.append(~jnp.isneginf(_checked_bias(self.bias, shape)))
        if self.mask is not None:
            parts.append(_headed(self.mask, shape))
        if self.query_lengths is not None:
            inside = _within(self.query_lengths, batch, queries, "query_lengths")
            parts.append(inside[..., None, :, None])
        if self.key_lengths is not None:
            inside = _within(self.key_lengths, batch, keys, "key_lengths")
            parts.append(inside[..., None, None, :])
        return functools.reduce(operator.and_, parts) if parts else None

    def empties(self, shape: tuple[int, ...]) -> bool:
        """Whether some query may see nothing: a band alone leaves each its own place."""
        arrays = (self.bias, self.mask, self.query_lengths, self.key_lengths)
        return any(x is not None for x in arrays) or shape[-2] > shape[-1]

    def extended(self, shape: tuple[int, ...]) -> "Limits":
        """These for ``shape [..., H, T, S]``, and one more key that no limit hides."""
        allowed = self._replace(query_lengths=None).allowed(shape)
        bias = None if self.bias is None else _widened(self.bias, shape[-1], 0)
        mask = None if allowed is None else _widened(allowed, shape[-1], True)
        return Limits(bias, mask, query_lengths=self.query_lengths)

    def applied(self, query: jax.Array, *memory: jax.Array) -> tuple[Any, ...]:
        """``allowed`` for these, and these with zeros where masks and lengths hide all of it.

        Zero times NaN is NaN: what is hidden must not even meet a weight or a gradient of zero.
        """
        allowed = self.allowed(scores_shape(query, memory[0]))
        given = (self.bias, self.mask, self.query_lengths, self.key_lengths)
        if allowed is None or all(x is None for x in given):
            return allowed, query, *memory
        return (
            allowed,
            _kept(query, allowed.any((-3, -1))),
            *(_kept(x, allowed.any((-3, -2))) for x in memory),
        )


def _kept(x: jax.Array, places: jax.Array) -> jax.Array:
    return jnp.where(jnp.broadcast_to(places[..., None, None], x.shape), x, jnp.zeros_like(x))


def scores_shape(query: jax.Array, key: jax.Array) -> tuple[int, ...]:
    """``[..., T, H, K], [..., S, G, K]`` to ``[..., H, T, S]``; raises where they do not fit."""
    for x, what in ((query, "query"), (key, "key")):
        check_float(x, f"{what} of attention")
        check_axes(x, 3, f"{what} of attention, [..., T, H, K],")
    same = query.shape[:-3] == key.shape[:-3] and query.shape[-1] == key.shape[-1]
    if not same or query.dtype != key.dtype:
        raise ValueError(
            f"query of attention is {describe(query)} and key {describe(key)}, but both must have "
            "the same batch axes, head size (the last axis) and dtype; sequences are [..., T, H, K]"
        )
    heads, groups = query.shape[-2], key.shape[-2]
    if not groups or heads % groups:
        raise ValueError(
            f"the {heads} heads of the query cannot share the {groups} heads of the key of "
            f"attention: query is {describe(query)} and key {describe(key)}; "
            "the number of heads of the key must divide that of the query"
        )
    return (*query.shape[:-3], heads, query.shape[-3], key.shape[-3])


def finite(bias: jax.Array) -> jax.Array:
    """The bias, with zeros where it is minus infinity: there a score is hidden."""
    return jnp.where(jnp.isneginf(bias), jnp.zeros_like(bias), bias)


def ranked(x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """With axes of 1 before its own, as many as ``shape`` has."""
    return x.reshape((1,) * (len(shape) - x.ndim) + x.shape)


def _widened(x: jax.Array, keys: int, value: bool | float) -> jax.Array:
    """``[..., S]`` or ``[..., 1]`` to ``[..., S + 1]``, with ``value`` in the last place."""
    full = jnp.broadcast_to(x, (*x.shape[:-1], keys))
    return jnp.pad(full, [(0, 0)] * (x.ndim - 1) + [(0, 1)], constant_values=value)


def _checked_bias(bias: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    check_float(bias, "bias of attention")
    if bias.ndim <= len(shape):
        bias = ranked(bias, shape)
        if all(n in (1, m) for n, m in zip(bias.shape, shape, strict=True)):
            return bias
    raise ValueError(
        f"bias of attention is {describe(bias)}, but must broadcast to the scores {list(shape)}, "
        "which are [..., H, T, S]; one bias for all heads has an axis of 1 there"
    )


def _headed(mask: Any, shape: tuple[int, ...]) -> jax.Array:
    """A mask ``[T, S]``, ``[..., T, S]`` or ``[..., H, T, S]`` with all axes of ``shape``."""
    mask = jnp.asarray(mask)
    if mask.dtype != bool:
        raise ValueError(
            f"mask of attention must be boolean, True where a query may attend, but is "
            f"{describe(mask)}; write mask.astype(bool), or give what is added to scores as bias"
        )
    rank = len(shape)
    if mask.ndim == rank - 1:
        full = jnp.expand_dims(mask, -3)
    elif mask.ndim in (2, rank):
        full = ranked(mask, shape)
    else:
        full = None
    if full is None or any(n not in (1, m) for n, m in zip(full.shape, shape, strict=True)):
        raise ValueError(
            f"mask of attention is {describe(mask)}, but must be {list(shape[-2:])} [T, S], "
            f"{[*shape[:-3], *shape[-2:]]} [..., T, S] or {list(shape)} [..., H, T, S], or have "
            "axes of 1; a mask of keys [..., S] is mask[..., None, :]"
        )
    return full


def _within(lengths: Any, batch: tuple[int, ...], size: int, what: str) -> jax.Array:
    """Whether each of ``size`` places lies before the end of its example: ``[..., size]``."""
    lengths = jnp.asarray(lengths)
    check_integers(lengths, f"{what} of attention")
    if lengths.shape != batch:
        raise ValueError(
            f"{what} of attention is {describe(lengths)}, but must have the batch's shape "
            f"{list(batch)}: one length for each example"
        )
    shape = (*batch, size)
    places = jnp.broadcast_to(jnp.arange(size, dtype=lengths.dtype), shape)
    return places < jnp.broadcast_to(lengths[..., None], shape)
