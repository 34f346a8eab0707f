"""Losses of generative models: adversarial ones, and the divergence of a VAE's code."""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from jaxnet.core.checks import (
    check_axes,
    check_choice,
    check_float,
    check_key,
    check_nonempty,
    check_prediction,
    matched,
)
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.losses.margin import positive_part
from jaxnet.losses.reduce import Reduction, entries, reduce, shown
from jaxnet.nn.distance import vector_norm

type Kind = Literal["logistic", "least_squares", "hinge", "wasserstein"]

# What a discriminator pays for scores of real and of made examples, and a generator for its own.
_KINDS: dict[str, tuple[Callable[[jax.Array], jax.Array], ...]] = {
    "logistic": (lambda s: jax.nn.softplus(-s), jax.nn.softplus, lambda s: jax.nn.softplus(-s)),
    "least_squares": (
        lambda s: jnp.square(s - 1) / 2,
        lambda s: jnp.square(s) / 2,
        lambda s: jnp.square(s - 1) / 2,
    ),
    "hinge": (lambda s: positive_part(1 - s), lambda s: positive_part(1 + s), jnp.negative),
    "wasserstein": (jnp.negative, jnp.positive, jnp.negative),
}


def gan_generator(
    made: jax.Array,
    *,
    kind: Kind = "logistic",
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """What a generator pays for the discriminator's scores ``s [...]`` of the examples it made.

    ``"logistic"`` is the non-saturating ``log(1 + exp(-s))`` (arXiv:1406.2661), ``"least_squares"``
    is ``(s - 1)^2 / 2`` (arXiv:1611.04076), ``"hinge"`` (arXiv:1802.05957) and ``"wasserstein"``
    (arXiv:1701.07875) are ``-s``. Weights, mask and reduction are those of ``reduce``. Raises
    ValueError for scores that are not floating point or empty, and for another kind.

    >>> gan_generator(jnp.array([0.0, 2.0]), kind="least_squares")
    Array(0.5, dtype=float32)
    """
    return _paid(made, 2, kind, weights, mask, reduction, "gan_generator")


def gan_discriminator(
    real: jax.Array, made: jax.Array, *, kind: Kind = "logistic", reduction: Reduction = "mean"
) -> jax.Array:
    """What a discriminator pays for its scores ``r`` of real examples and ``s`` of made ones.

    The sum of both means (there may be more of one) or, with another reduction, of both sums or
    losses. ``"logistic"`` is ``log(1 + exp(-r)) + log(1 + exp(s))``, ``"least_squares"`` is
    ``(r - 1)^2 / 2 + s^2 / 2``, ``"hinge"`` is ``max(0, 1 - r) + max(0, 1 + s)``, and
    ``"wasserstein"`` is ``s - r``. Sources and errors are those of ``gan_generator``; raises
    ValueError also for unequal shapes without a reduction.

    >>> gan_discriminator(jnp.array([2.0]), jnp.array([0.0, -0.5]), kind="hinge")
    Array(0.75, dtype=float32)
    """
    name = "gan_discriminator"
    if reduction == "none":
        matched(real, made, name)
    return _paid(real, 0, kind, None, None, reduction, name) + _paid(
        made, 1, kind, None, None, reduction, name
    )


def gradient_penalty(
    critic: Callable[[jax.Array], jax.Array],
    real: jax.Array,
    made: jax.Array,
    key: jax.Array,
    *,
    target: float = 1.0,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``(|gradient of critic| - target)^2`` between real and made (arXiv:1704.00028).

    ``critic`` scores a batch, ``[B, ...] -> [B]``; its gradient is taken in one random point a
    pair, on the line between ``real`` and ``made``, both ``[B, ...]``. Its norm at 0 has the
    gradient 0. Weights, mask and reduction are those of ``reduce``, with a loss for each example
    ``[B]``. Raises ValueError for unequal shapes, empty inputs, another key, and a critic without
    a score for each example.

    >>> critic = lambda x: 3 * x[:, 0]
    >>> gradient_penalty(critic, jnp.ones((4, 2)), jnp.zeros((4, 2)), jax.random.key(0))
    Array(4., dtype=float32)
    """
    name = "gradient_penalty"
    check_key(key)
    check_float(made, f"the made examples of {name}")
    a, b = entries(real, made, mask, name)
    check_axes(a, 1, f"the real examples of {name}")
    share = jax.random.uniform(key, (len(a), *(1,) * (a.ndim - 1)), a.dtype)
    x = a + jnp.broadcast_to(share, a.shape) * (b - a)

    def total(x: jax.Array) -> jax.Array:
        scores = critic(x)
        if scores.shape != (len(a),):
            raise ValueError(
                f"critic of {name} must give one score an example, {(len(a),)}, but returned "
                f"{describe(scores)}; drop axes of 1 by squeeze(-1)"
            )
        return scores.sum()

    slopes = jax.grad(total)(x).reshape(len(a), -1)
    return reduce(jnp.square(vector_norm(slopes) - target), weights, mask, reduction, name)


def normal_kl(
    mean: jax.Array,
    log_variance: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """How far a VAE's normal code is from the standard one: the mean KL divergence of examples.

    ``1/2 sum (m^2 + exp(l) - 1 - l)`` over the last axis of ``mean`` and ``log_variance``, both
    ``[..., D]`` (arXiv:1312.6114). Weights, mask and reduction are those of ``reduce``, with a loss
    for each example ``[...]``. Raises ValueError for unequal shapes and empty inputs.

    >>> normal_kl(jnp.array([[1.0, 2.0]]), jnp.zeros((1, 2)))
    Array(2.5, dtype=float32)
    """
    check_float(log_variance, "log_variance of normal_kl")
    m, log_v = entries(mean, log_variance, mask, "normal_kl")
    check_axes(m, 1, "mean of normal_kl")
    each = 0.5 * (jnp.square(m) + jnp.expm1(log_v) - log_v).sum(-1)
    return reduce(each, weights, mask, reduction, "normal_kl")


def _paid(
    scores: jax.Array,
    who: int,
    kind: Kind,
    weights: jax.Array | None,
    mask: jax.Array | None,
    reduction: Reduction,
    name: str,
) -> jax.Array:
    check_choice(kind, _KINDS, "kind", name)
    check_prediction(scores, f"scores of {name}")
    check_nonempty(scores, name)
    wide = shown(jnp.asarray(scores).astype(at_least_float32(scores)), mask, name)
    return reduce(_KINDS[kind][who](wide), weights, mask, reduction, name)
