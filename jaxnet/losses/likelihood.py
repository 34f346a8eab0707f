"""Negative log-likelihoods of numbers: under a Poisson and under a normal distribution."""

import math

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_at_least, check_float, check_positive, check_prediction
from jaxnet.core.errors import describe, seen
from jaxnet.losses.reduce import Reduction, entries, reduce, shown
from jaxnet.nn.straight_through import straight_through


def poisson_nll(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``exp(p) - y p``: counts ``y`` under Poisson's distribution of mean ``exp(p)``.

    Without ``log_input`` predictions are the means themselves, ``p - y log(p + eps)``. ``full``
    adds Stirling's ``y log y - y + log(2 pi y) / 2`` for counts above 1. Predictions and targets
    are ``[...]``; targets are ints or floats. Weights, mask and reduction are those of ``reduce``.
    Raises ValueError for unequal shapes, empty inputs, a negative ``eps`` and counts that can be
    seen to be negative.

    >>> poisson_nll(jnp.array([0.0, 1.0]), jnp.array([1, 2]))
    Array(0.8591, dtype=float32)
    """
    check_at_least(eps, 0, "eps of poisson_nll")
    p, y = entries(predictions, targets, mask, "poisson_nll")
    known = seen(y)
    if known is not None and known.min() < 0:
        raise ValueError(
            f"the target of poisson_nll counts events, but the least is {known.min()}; "
            "give counts of at least 0"
        )
    each = jnp.exp(p) - y * p if log_input else p - y * jnp.log(p + eps)
    if full:
        many = jnp.where(y > 1, y, 1)
        stirling = many * jnp.log(many) - many + 0.5 * jnp.log(2 * math.pi * many)
        each = each + jnp.where(y > 1, stirling, 0)
    return reduce(each, weights, mask, reduction, "poisson_nll")


def gaussian_nll(
    predictions: jax.Array,
    targets: jax.Array,
    variance: jax.Array,
    *,
    full: bool = False,
    eps: float = 1e-6,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``(log v + (p - y)^2 / v) / 2``: ``y`` under a normal distribution.

    The variance ``v``, at least ``eps`` (which has no part in the gradient, as in PyTorch), has the
    shape ``[..., D]`` of predictions and targets, or ``[..., 1]`` for one of all features.
    ``full`` adds ``log(2 pi) / 2``. Weights, mask and reduction are those of ``reduce``.
    Raises ValueError for other shapes, empty inputs, an ``eps`` that is not positive and variances
    that can be seen to be negative.

    >>> gaussian_nll(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]), jnp.array([1.0, 4.0]))
    Array(0.5966, dtype=float32)
    """
    name = "gaussian_nll"
    check_positive(eps, f"eps of {name}")
    check_float(targets, f"the target of {name}")
    p, y = entries(predictions, targets, mask, name)
    check_prediction(variance, f"variance of {name}")
    if variance.shape not in (p.shape, (*p.shape[:-1], 1)):
        raise ValueError(
            f"variance of {name} must have the shape {p.shape} of the predictions, or 1 as its "
            f"last axis, but is {describe(variance)}; say what is meant with jnp.broadcast_to"
        )
    v = shown(jnp.broadcast_to(variance, p.shape).astype(p.dtype), mask, name)
    known = seen(v)
    if known is not None and known.min() < 0:
        raise ValueError(
            f"variance of {name} must be at least 0, but the least is {known.min()}; "
            "make it positive, as with jax.nn.softplus"
        )
    v = straight_through(jnp.maximum(v, eps), v)
    each = 0.5 * (jnp.log(v) + jnp.square(p - y) / v)
    if full:
        each = each + 0.5 * math.log(2 * math.pi)
    return reduce(each, weights, mask, reduction, name)
