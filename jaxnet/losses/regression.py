"""Losses between numbers: squared, absolute, and what lies between."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_at_least, check_float
from jaxnet.core.errors import describe
from jaxnet.losses.reduce import Reduction, entries, reduce
from jaxnet.nn.distance import cosine_similarity


def mean_squared_error(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``1/n * sum (p - y)^2`` over all ``n`` entries, as in PyTorch and Keras.

    Its derivative in ``p`` is ``2/n * (p - y)``. With a factor of 1/(2n) instead of 1/n it is
    ``half_mean_squared_error``. Predictions and targets ``[...]`` are floating-point arrays of one
    shape; raises ValueError for anything else and for empty ones. Weights, mask and reduction are
    those of ``reduce``.

    >>> mean_squared_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]))
    Array(2., dtype=float32)
    """
    error = _difference(predictions, targets, mask, "mean_squared_error")
    return reduce(jnp.square(error), weights, mask, reduction, "mean_squared_error")


def half_mean_squared_error(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``1/(2n) * sum (p - y)^2`` over all ``n`` entries: half of ``mean_squared_error``.

    Its derivative in ``p`` is ``1/n * (p - y)``, without the factor of 2. Inputs, options and
    errors are those of ``mean_squared_error``.

    >>> half_mean_squared_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]))
    Array(1., dtype=float32)
    """
    error = _difference(predictions, targets, mask, "half_mean_squared_error")
    return 0.5 * reduce(jnp.square(error), weights, mask, reduction, "half_mean_squared_error")


def mean_absolute_error(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``1/n * sum |p - y|`` over all ``n`` entries; its derivative is 0 where ``p = y``.

    Inputs, options and errors are those of ``mean_squared_error``.

    >>> mean_absolute_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]))
    Array(1., dtype=float32)
    """
    error = _difference(predictions, targets, mask, "mean_absolute_error")
    return reduce(absolute(error), weights, mask, reduction, "mean_absolute_error")


def mean_absolute_percentage_error(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    eps: float = 1e-7,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``100/n * sum |p - y| / max(|y|, eps)``, as in Keras: the mean error in percent.

    Inputs, options and errors are those of ``mean_squared_error``; raises ValueError also for a
    negative ``eps``.

    >>> mean_absolute_percentage_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]))
    Array(25., dtype=float32)
    """
    name = "mean_absolute_percentage_error"
    check_at_least(eps, 0, f"eps of {name}")
    error = _difference(predictions, targets, mask, name)
    _, y = entries(predictions, targets, mask, name)
    each = 100 * absolute(error / jnp.maximum(absolute(y), eps))
    return reduce(each, weights, mask, reduction, name)


def mean_squared_log_error(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    eps: float = 1e-7,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``1/n * sum (log(1 + p) - log(1 + y))^2`` of numbers of at least 0, as in Keras.

    What is below ``eps`` counts as ``eps``. Inputs, options and errors are those of
    ``mean_squared_error``; raises ValueError also for a negative ``eps``.

    >>> mean_squared_log_error(jnp.array([1.0, 0.0]), jnp.array([1.0, 1.0]))
    Array(0.2402, dtype=float32)
    """
    name = "mean_squared_log_error"
    check_at_least(eps, 0, f"eps of {name}")
    check_float(targets, f"the target of {name}")
    p, y = (jnp.log1p(jnp.maximum(x, eps)) for x in entries(predictions, targets, mask, name))
    return reduce(jnp.square(p - y), weights, mask, reduction, name)


def huber(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    delta: float = 1.0,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """Huber's loss: squared for small errors, absolute beyond ``delta``, for outliers' sake.

    The mean of ``d^2 / 2`` where ``|d| <= delta`` and of ``delta * (|d| - delta / 2)`` elsewhere,
    with ``d = p - y``, as in PyTorch and Keras. Inputs, options and errors are those of
    ``mean_squared_error``; raises ValueError also unless ``delta`` is positive.

    >>> huber(jnp.array([1.0, 2.0]), jnp.array([1.5, 4.0]))
    Array(0.8125, dtype=float32)
    """
    if not delta > 0:
        raise ValueError(
            f"delta of huber must be positive, but is {describe(delta)}: it is the size of error "
            "up to which the loss is quadratic"
        )
    error = _difference(predictions, targets, mask, "huber")
    return reduce(_huber(error, delta), weights, mask, reduction, "huber")


def smooth_l1(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    beta: float = 1.0,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``huber / beta``: absolute beyond ``beta``, with a slope of 1 there whatever ``beta`` is.

    The mean of ``d^2 / (2 beta)`` where ``|d| < beta`` and of ``|d| - beta / 2`` elsewhere; with
    ``beta=0`` it is ``mean_absolute_error`` (arXiv:1504.08083). Inputs, options and errors are
    those of ``mean_squared_error``; raises ValueError also for a negative ``beta``.

    >>> smooth_l1(jnp.array([1.0, 2.0]), jnp.array([1.5, 4.0]), beta=0.5)
    Array(1., dtype=float32)
    """
    check_at_least(beta, 0, "beta of smooth_l1")
    error = _difference(predictions, targets, mask, "smooth_l1")
    each = _huber(error, beta) / beta if beta else absolute(error)
    return reduce(each, weights, mask, reduction, "smooth_l1")


def log_cosh(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``log(cosh(p - y))``: near 0 half the square, far off the size less ``log 2``.

    Exact for errors of any size; its derivative is ``tanh(p - y)``. Inputs, options and errors are
    those of ``mean_squared_error``.

    >>> log_cosh(jnp.array([1.0, 200.0]), jnp.array([1.0, 0.0]))
    Array(99.65343, dtype=float32)
    """
    size = absolute(_difference(predictions, targets, mask, "log_cosh"))
    near = size < 1
    close = jnp.log1p(2 * jnp.square(jnp.sinh(jnp.where(near, size, 0) / 2)))
    each = jnp.where(near, close, size + jnp.log1p(jnp.exp(-2 * size)) - math.log(2))
    return reduce(each, weights, mask, reduction, "log_cosh")


def cosine_distance(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    eps: float = 1e-8,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``1 - p . y / (|p| |y|)`` along the last axis: ``[..., D]``, a loss for each row.

    Each norm is at least ``eps``. Keras's CosineSimilarity is less by 1. Inputs, options and errors
    are those of ``mean_squared_error``.

    >>> cosine_distance(jnp.array([[1.0, 0.0]]), jnp.array([[3.0, 3.0]])).round(4)
    Array(0.2929, dtype=float32)
    """
    check_float(targets, "the target of cosine_distance")
    p, y = entries(predictions, targets, mask, "cosine_distance")
    each = 1 - cosine_similarity(p, y, eps=eps)
    return reduce(each, weights, mask, reduction, "cosine_distance")


def absolute(x: jax.Array) -> jax.Array:
    """``|x|`` with the derivative 0 at 0, as in PyTorch; that of ``jnp.abs`` is 1 there.

    >>> jax.grad(absolute)(0.0), jax.grad(jnp.abs)(0.0)
    (Array(0., dtype=float32, weak_type=True), Array(1., dtype=float32, weak_type=True))
    """
    return x * jnp.sign(x)


def _huber(error: jax.Array, delta: float) -> jax.Array:
    # One formula for both pieces, without a kink: second derivatives hold at 0, too.
    clipped = jnp.clip(error, -delta, delta)
    return clipped * (error - 0.5 * clipped)


def _difference(predictions: Any, targets: Any, mask: Any, loss: str) -> jax.Array:
    check_float(targets, f"the target of {loss}")
    predictions, targets = entries(predictions, targets, mask, loss)
    return predictions - targets
