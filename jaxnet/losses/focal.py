"""Focal losses: cross-entropies that leave easy examples aside (arXiv:1708.02002)."""

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_at_least
from jaxnet.losses.classification import binary
from jaxnet.losses.labels import Weights, by_class, labelled, likelihood
from jaxnet.losses.reduce import Reduction, reduce


def sigmoid_focal(
    logits: jax.Array,
    targets: jax.Array,
    *,
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``(1 - q)^gamma`` times the cross-entropy, ``q`` the probability of the target.

    Both inputs are ``[...]``, targets within [0, 1], and ``q = y p + (1 - y) (1 - p)`` for
    ``p = sigmoid(logits)``. Targets of 1 are weighed by ``alpha``, those of 0 by ``1 - alpha``;
    None weighs both by 1. Weights, mask and reduction are those of ``reduce``. Raises ValueError
    for unequal shapes, empty inputs, a negative ``gamma``, an ``alpha`` outside [0, 1] and targets
    that can be seen to lie outside [0, 1].

    >>> sigmoid_focal(jnp.array([0.0, 5.0]), jnp.array([1, 1]), alpha=None).round(4)
    Array(0.0866, dtype=float32)
    """
    name = "sigmoid_focal"
    check_at_least(gamma, 0, f"gamma of {name}")
    if alpha is not None and not 0 <= alpha <= 1:
        raise ValueError(
            f"alpha of {name} is the share of targets of 1, from 0 to 1, but is {alpha}; None has "
            "no such weights"
        )
    z, y = binary(logits, targets, mask, name)
    each = y * jax.nn.softplus(-z) + (1 - y) * jax.nn.softplus(z)
    each = each * _power(y * jax.nn.sigmoid(-z) + (1 - y) * jax.nn.sigmoid(z), gamma)
    if alpha is not None:
        each = each * (y * alpha + (1 - y) * (1 - alpha))
    return reduce(each, weights, mask, reduction, name)


def softmax_focal(
    logits: jax.Array,
    labels: jax.Array,
    *,
    gamma: float = 2.0,
    alpha: float | Weights = 0.25,
    ignore: int | None = None,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``-alpha (1 - p)^gamma log p``, with ``p`` the softmax at the label, as in Keras.

    Logits are ``[..., C]``; labels are class numbers ``[...]`` or distributions ``[..., C]``, over
    whose classes the loss is a weighted sum. ``alpha`` is a number or has one value a class. Other
    options and errors are those of ``softmax_cross_entropy``; raises ValueError also for a negative
    ``gamma``.

    >>> softmax_focal(jnp.zeros((2, 2)), jnp.array([0, 1]), alpha=1.0).round(4)
    Array(0.1733, dtype=float32)
    """
    name = "softmax_focal"
    check_at_least(gamma, 0, f"gamma of {name}")
    logits, labels, mask = labelled(logits, labels, mask, ignore, name)
    log_p = jax.nn.log_softmax(logits)
    terms = _power(-jnp.expm1(log_p), gamma) * log_p
    if isinstance(alpha, int | float):
        terms = alpha * terms
    else:
        terms = by_class(alpha, terms, f"alpha of {name}") * terms
    return -reduce(likelihood(terms, labels), weights, mask, reduction, name)


def _power(x: jax.Array, gamma: float) -> jax.Array:
    """``x^gamma`` with a finite gradient at 0."""
    positive = x > 0
    return jnp.where(positive, jnp.where(positive, x, 1) ** gamma, float(gamma == 0))
