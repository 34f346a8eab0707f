"""Which token goes to which expert, and the losses that keep their loads alike."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core.checks import (
    check_axes,
    check_choice,
    check_integers,
    check_nonempty,
    check_prediction,
    check_size,
)
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.nn.moments import shown


class Routing(NamedTuple):
    """Where tokens go, by ``route``: C places for each of E experts.

    ``dispatch [..., T, E, C]`` is True where a token has a place, and ``combine`` of that shape has
    its gate there; ``chosen [..., T, k]`` are its experts, best first, also those without room
    (and E itself for a token that is masked); ``probs [..., T, E]`` sum to 1.
    """

    dispatch: jax.Array
    combine: jax.Array
    chosen: jax.Array
    probs: jax.Array


def route(
    logits: jax.Array,
    k: int,
    capacity: int,
    *,
    gates: str = "softmax",
    normalize: bool | None = None,
    bias: jax.Array | None = None,
    mask: jax.Array | None = None,
) -> Routing:
    """Each token to its ``k`` best experts, ``capacity`` tokens to each: ``logits [..., T, E]``.

    All first choices find a place before any second one does, in the order of the tokens
    (arXiv:2006.16668); who comes too late has none. Gates are the ``"softmax"`` or ``"sigmoid"`` of
    the logits; ``normalize`` divides those of a token by their sum, and is by default on for more
    than one choice (with one, the gate would be 1, and the router learn nothing: arXiv:2101.03961).
    ``bias [E]`` adds to what experts are chosen by, but not to the gates (arXiv:2408.15664). Tokens
    where ``mask [..., T]`` is False go nowhere.
    Raises ValueError for bad shapes, and unless ``k`` is at most E.

    >>> routing = route(jnp.array([[2.0, 0.0], [1.0, 0.0], [0.0, 3.0]]), 1, capacity=1)
    >>> routing.dispatch[..., 0].astype(int)  # the second token comes too late
    Array([[1, 0],
           [0, 0],
           [0, 1]], dtype=int32)
    """
    check_prediction(logits, "logits of route")
    check_axes(logits, 2, "logits of route, [..., T, E],")
    check_size(capacity, "capacity of route")
    *batch, tokens, experts = logits.shape
    check_routing(k, experts, gates, "route")
    wide = logits.astype(at_least_float32(logits))
    probs = jax.nn.softmax(wide, -1)
    scores = probs
    if gates == "sigmoid":
        scores = jax.nn.sigmoid(wide)
        # exp(log_sigmoid - max) could not underflow in all experts, as the scores may.
        probs = jax.nn.softmax(jax.nn.log_sigmoid(wide), -1)
    chosen = _best(scores, k, bias)
    if mask is not None:
        check_mask(mask, logits, "route")
        there = jnp.broadcast_to(mask[..., None], chosen.shape)
        chosen = jnp.where(there, chosen, jnp.full_like(chosen, experts))
    picks = jax.nn.one_hot(jnp.swapaxes(chosen, -1, -2), experts, dtype=jnp.int32)  # [..., k, T, E]
    queue = picks.reshape(*batch, k * tokens, experts)
    # A token's place in each expert's queue, from 0; -1 where it does not stand in it.
    places = (jnp.cumsum(queue, -2) * queue).reshape(picks.shape).sum(-3) - 1
    dispatch = jax.nn.one_hot(places, capacity, dtype=bool)
    weights = jnp.where(places >= 0, scores, jnp.zeros_like(scores))
    if k > 1 if normalize is None else normalize:
        total = weights.sum(-1, keepdims=True)
        weights = weights / jnp.where(total > 0, total, jnp.ones_like(total))
    weights = jnp.broadcast_to(weights[..., None], dispatch.shape)
    combine = jnp.where(dispatch, weights, jnp.zeros_like(weights))
    return Routing(dispatch, combine.astype(logits.dtype), chosen, probs.astype(logits.dtype))


def load_balancing_loss(probs: jax.Array, chosen: jax.Array) -> jax.Array:
    """``E * sum_e f_e P_e``, least for even loads: ``[..., E], [..., k]`` to a scalar.

    ``f_e`` is the share of all choices that expert e has, ``P_e`` its mean probability
    (arXiv:2101.03961, equation 4; for ``k`` choices the shares still sum to 1). It is 1 if all is
    even, and E if all goes to one expert. A choice of E itself, which ``route`` makes for tokens
    that are masked, counts for nothing. Raises ValueError if the shapes do not fit each other.

    >>> load_balancing_loss(jnp.array([[0.75, 0.25], [0.75, 0.25]]), jnp.array([[0], [1]]))
    Array(1., dtype=float32)
    """
    check_prediction(probs, "probs of load_balancing_loss")
    check_axes(probs, 1, "probs of load_balancing_loss")
    check_integers(chosen, "chosen of load_balancing_loss")
    if chosen.shape[:-1] != probs.shape[:-1] or chosen.ndim != probs.ndim:
        raise ValueError(
            f"load_balancing_loss takes probs [..., E] and chosen [..., k], but probs is "
            f"{describe(probs)} and chosen {describe(chosen)}; one choice a token is chosen[..., "
            "None]"
        )
    check_nonempty(probs, "load_balancing_loss")
    experts = probs.shape[-1]
    wide = probs.astype(at_least_float32(probs))
    counts = load(chosen, experts).astype(wide.dtype)
    shares = counts / jnp.maximum(counts.sum(), 1)
    return (experts * (shares * _mean(wide, (chosen < experts).any(-1))).sum()).astype(probs.dtype)


def router_z_loss(logits: jax.Array, *, mask: jax.Array | None = None) -> jax.Array:
    """The mean of ``logsumexp(logits)^2``, against large logits: ``[..., E]`` to a scalar.

    From arXiv:2202.08906, equation 5. Tokens where ``mask [...]`` is False count for nothing.
    Raises ValueError if the shapes do not fit each other.

    >>> router_z_loss(jnp.log(jnp.array([[1.0, 1.0], [0.5, 0.5]]))).round(3)
    Array(0.24, dtype=float32)
    """
    check_prediction(logits, "logits of router_z_loss")
    check_axes(logits, 1, "logits of router_z_loss")
    check_nonempty(logits, "router_z_loss")
    if mask is None:
        mask = jnp.ones(logits.shape[:-1], bool)
    check_mask(mask, logits, "router_z_loss")
    wide = shown(logits.astype(at_least_float32(logits)), mask)
    sizes = jnp.square(jax.nn.logsumexp(wide, -1, keepdims=True))
    return _mean(sizes, mask)[0].astype(logits.dtype)


def load(chosen: jax.Array, experts: int) -> jax.Array:
    """How often each expert is chosen: ``[experts]``."""
    return jnp.zeros(experts, jnp.int32).at[chosen.reshape(-1)].add(1, mode="drop")


def check_routing(k: Any, experts: int, gates: Any, what: str) -> None:
    """Raise unless each token can choose ``k`` of the experts, by such gates."""
    check_size(k, f"k of {what}")
    if k > experts:
        raise ValueError(
            f"k={k} of {what} is the number of experts that each token chooses, but there are only "
            f"{experts}; choose at most that many"
        )
    check_choice(gates, ("softmax", "sigmoid"), "gates", what)


def check_mask(mask: jax.Array, x: jax.Array, what: str) -> None:
    """Raise unless ``mask`` says of each token of ``x [..., D]`` whether it counts."""
    if mask.shape != x.shape[:-1] or mask.dtype != bool:
        raise ValueError(
            f"mask of {what} must be boolean and {list(x.shape[:-1])}, one for each token, but is "
            f"{describe(mask)}; write mask.astype(bool)"
        )


def _best(scores: jax.Array, k: int, bias: jax.Array | None) -> jax.Array:
    if bias is not None:
        if bias.shape != scores.shape[-1:]:
            raise ValueError(
                f"bias of route must have the shape {scores.shape[-1:]}, one value an expert, but "
                f"is {describe(bias)}"
            )
        scores = scores + jnp.broadcast_to(bias.astype(scores.dtype), scores.shape)
    return jax.lax.top_k(jax.lax.stop_gradient(scores), k)[1]


def _mean(x: jax.Array, mask: jax.Array) -> jax.Array:
    """Of ``[..., E]`` over all tokens that count: ``[E]``."""
    total = shown(x, mask).reshape(-1, x.shape[-1]).sum(0)
    return total / jnp.maximum(mask.sum(), 1).astype(x.dtype)
