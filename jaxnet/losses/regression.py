"""Losses between numbers: squared, absolute, and Huber's."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_float, matched
from jaxnet.core.errors import describe


def mean_squared_error(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """``1/n * sum (p - y)^2`` over all ``n`` entries, as in PyTorch and Keras.

    Its derivative in ``p`` is ``2/n * (p - y)``. With a factor of 1/(2n) instead of 1/n it is
    ``half_mean_squared_error``. Predictions and targets ``[...]`` are floating-point arrays of one
    shape; raises ValueError for anything else and for empty ones.

    >>> mean_squared_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]))
    Array(2., dtype=float32)
    """
    return jnp.square(_difference(predictions, targets, "mean_squared_error")).mean()


def half_mean_squared_error(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """``1/(2n) * sum (p - y)^2`` over all ``n`` entries: half of ``mean_squared_error``.

    Its derivative in ``p`` is ``1/n * (p - y)``, without the factor of 2. Inputs and errors are
    those of ``mean_squared_error``.

    >>> half_mean_squared_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]))
    Array(1., dtype=float32)
    """
    return 0.5 * jnp.square(_difference(predictions, targets, "half_mean_squared_error")).mean()


def mean_absolute_error(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """``1/n * sum |p - y|`` over all ``n`` entries; its derivative is 0 where ``p = y``.

    Inputs and errors are those of ``mean_squared_error``.

    >>> mean_absolute_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]))
    Array(1., dtype=float32)
    """
    return absolute(_difference(predictions, targets, "mean_absolute_error")).mean()


def huber(predictions: jax.Array, targets: jax.Array, *, delta: float = 1.0) -> jax.Array:
    """Huber's loss: squared for small errors, absolute beyond ``delta``, for outliers' sake.

    The mean of ``d^2 / 2`` where ``|d| <= delta`` and of ``delta * (|d| - delta / 2)`` elsewhere,
    with ``d = p - y``, as in PyTorch and Keras. Inputs and errors are those of
    ``mean_squared_error``; raises ValueError also unless ``delta`` is positive.

    >>> huber(jnp.array([1.0, 2.0]), jnp.array([1.5, 4.0]))
    Array(0.8125, dtype=float32)
    """
    if not delta > 0:
        raise ValueError(
            f"delta of huber must be positive, but is {describe(delta)}: it is the size of error "
            "up to which the loss is quadratic"
        )
    error = _difference(predictions, targets, "huber")
    # One formula for both pieces, without a kink: second derivatives hold at 0, too.
    clipped = jnp.clip(error, -delta, delta)
    return (clipped * (error - 0.5 * clipped)).mean()


def absolute(x: jax.Array) -> jax.Array:
    """``|x|`` with the derivative 0 at 0, as in PyTorch; that of ``jnp.abs`` is 1 there.

    >>> jax.grad(absolute)(0.0), jax.grad(jnp.abs)(0.0)
    (Array(0., dtype=float32, weak_type=True), Array(1., dtype=float32, weak_type=True))
    """
    return x * jnp.sign(x)


def _difference(predictions: Any, targets: Any, loss: str) -> jax.Array:
    check_float(targets, f"the target of {loss}")
    predictions, targets = matched(predictions, targets, loss)
    return predictions - targets
