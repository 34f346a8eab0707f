"""Losses between classes: cross-entropies of probabilities and of logits."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_labelled, check_within, matched
from jaxnet.core.dtypes import at_least_float32
from jaxnet.losses.labels import likelihood


def binary_cross_entropy(probabilities: jax.Array, targets: jax.Array) -> jax.Array:
    """``-mean(y log p + (1 - y) log(1 - p))`` of probabilities, such as a sigmoid's.

    As in PyTorch each logarithm is at least -100 and the derivative is
    ``1/n * (p - y) / max(p (1 - p), 1e-12)``, so both are finite at 0 and 1. On logits
    ``sigmoid_cross_entropy`` is more exact. Both inputs are ``[...]`` within [0, 1]; targets may
    be bool, int or float. Raises ValueError for unequal shapes, empty inputs and, where they can
    be seen, values outside [0, 1]; under ``jit`` such probabilities make the loss NaN.

    >>> binary_cross_entropy(jnp.array([0.5, 1.0]), jnp.array([1, 1])).round(4)
    Array(0.3466, dtype=float32)
    """
    name = "binary_cross_entropy"
    p, y = _pair(probabilities, targets, name)
    check_within(
        p,
        f"the prediction of {name}",
        "give logits to sigmoid_cross_entropy instead, or clip rounding errors: jnp.clip(p, 0, 1)",
    )
    log_p, log_not_p = _clamped_logs(p)
    return -(y * log_p + (1 - y) * log_not_p).mean()


def sigmoid_cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """``binary_cross_entropy`` of ``sigmoid(logits)``, exact for logits of any size.

    Its derivative is ``1/n * (sigmoid(z) - y)``. Both inputs are ``[...]``; targets are within
    [0, 1] and may be bool, int or float. Raises ValueError for unequal shapes, empty inputs and
    targets that can be seen to lie outside [0, 1].

    >>> sigmoid_cross_entropy(jnp.array([0.0, 1e4]), jnp.array([1, 1])).round(4)
    Array(0.3466, dtype=float32)
    """
    z, y = _pair(logits, targets, "sigmoid_cross_entropy")
    return (y * jax.nn.softplus(-z) + (1 - y) * jax.nn.softplus(z)).mean()


def softmax_cross_entropy(
    logits: jax.Array, labels: jax.Array, *, smoothing: float = 0.0
) -> jax.Array:
    """``-mean(log softmax(logits)[label])``, the mean over all axes but the last.

    Logits are ``[..., C]`` for C classes; labels are class numbers ``[...]``, integers from 0 to
    C - 1, or distributions ``[..., C]`` such as one-hot rows. ``smoothing`` mixes the labels with
    that share of the uniform distribution. Logits of -inf rule out a class.
    Raises ValueError for labels of another shape, class numbers that are not integers, empty
    batches and, where they can be seen, class numbers that do not exist or rows of labels that
    do not sum to 1; under ``jit`` a class number that does not exist makes the loss NaN.

    >>> softmax_cross_entropy(jnp.zeros((2, 4)), jnp.array([0, 3])).round(4)
    Array(1.3863, dtype=float32)
    """
    name = "softmax_cross_entropy"
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing is a share, at least 0 and below 1, but is {smoothing}")
    logits, labels = check_labelled(logits, labels, name)
    log_p = jax.nn.log_softmax(logits.astype(at_least_float32(logits)))
    each = likelihood(log_p, labels)
    if smoothing:
        each = (1 - smoothing) * each + smoothing * log_p.mean(-1)
    return -each.mean()


def categorical_cross_entropy(probabilities: jax.Array, labels: jax.Array) -> jax.Array:
    """``-mean(log p[label])`` of probabilities, such as a softmax's, exactly as in Keras.

    Probabilities ``[..., C]`` are divided by their sum and clipped to [1e-7, 1 - 1e-7]; beyond
    these bounds the gradient is 0, so prefer ``softmax_cross_entropy`` on logits, which needs
    none. Labels and errors are as there; raises ValueError also for probabilities that can be
    seen to lie outside [0, 1].

    >>> categorical_cross_entropy(jnp.array([[0.25, 0.75]]), jnp.array([0])).round(4)
    Array(1.3863, dtype=float32)
    """
    name = "categorical_cross_entropy"
    p, labels = check_labelled(probabilities, labels, name)
    p = p.astype(at_least_float32(p))
    check_within(p, f"the prediction of {name}", "give logits to softmax_cross_entropy instead")
    p = p / p.sum(-1, keepdims=True)
    return -likelihood(jnp.log(jnp.clip(p, 1e-7, 1 - 1e-7)), labels).mean()


@jax.custom_jvp
def _clamped_logs(p: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.maximum(jnp.log(p), -100), jnp.maximum(jnp.log1p(-p), -100)


@_clamped_logs.defjvp
def _clamped_logs_jvp(primals: Any, tangents: Any) -> Any:
    (p,), (tangent,) = primals, tangents
    # 1/p and -1/(1 - p) over one denominator, which PyTorch keeps away from 0.
    step = tangent / jnp.maximum(p * (1 - p), 1e-12)
    return _clamped_logs(p), ((1 - p) * step, -p * step)


def _pair(predictions: Any, targets: Any, loss: str) -> tuple[jax.Array, jax.Array]:
    predictions, targets = matched(predictions, targets, loss)
    fix = "labels of -1 and 1 become 0 and 1 by (y + 1) / 2, and class numbers by one_hot"
    check_within(targets, f"the target of {loss}", fix)
    return predictions, targets
