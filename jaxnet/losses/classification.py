"""Losses between classes: cross-entropies of probabilities and of logits."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_positive, check_within
from jaxnet.core.errors import describe
from jaxnet.losses.labels import Weights, check_log, labelled, likelihood, log_likelihood
from jaxnet.losses.reduce import Reduction, entries, reduce


def binary_cross_entropy(
    probabilities: jax.Array,
    targets: jax.Array,
    *,
    smoothing: float = 0.0,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``-mean(y log p + (1 - y) log(1 - p))`` of probabilities, such as a sigmoid's.

    As in PyTorch each logarithm is at least -100 and the derivative is
    ``1/n * (p - y) / max(p (1 - p), 1e-12)``, so both are finite at 0 and 1. On logits
    ``sigmoid_cross_entropy`` is more exact. Both inputs are ``[...]`` within [0, 1]; targets may
    be bool, int or float, and ``smoothing`` moves them to 0.5 by that share. Weights, mask and
    reduction are those of ``reduce``. Raises ValueError for unequal shapes, empty inputs and, where
    they can be seen, values outside [0, 1]; under ``jit`` such probabilities make the loss NaN.

    >>> binary_cross_entropy(jnp.array([0.5, 1.0]), jnp.array([1, 1])).round(4)
    Array(0.3466, dtype=float32)
    """
    name = "binary_cross_entropy"
    p, y = binary(probabilities, targets, mask, name, smoothing)
    check_within(
        p,
        f"the prediction of {name}",
        "give logits to sigmoid_cross_entropy instead, or clip rounding errors: jnp.clip(p, 0, 1)",
    )
    log_p, log_not_p = _clamped_logs(p)
    return -reduce(y * log_p + (1 - y) * log_not_p, weights, mask, reduction, name)


def sigmoid_cross_entropy(
    logits: jax.Array,
    targets: jax.Array,
    *,
    positive_weight: Weights | float | None = None,
    smoothing: float = 0.0,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``binary_cross_entropy`` of ``sigmoid(logits)``, exact for logits of any size.

    Its derivative is ``1/n * (sigmoid(z) - y)``. Both inputs are ``[...]``; targets are within
    [0, 1] and may be bool, int or float. ``positive_weight`` multiplies what a target of 1 costs:
    a number, or values of the shape of the last axes, such as one a class. ``smoothing`` moves
    targets to 0.5 by that share. Weights, mask and reduction are those of ``reduce``.
    Raises ValueError for unequal shapes, empty inputs and targets that can be seen to lie outside
    [0, 1].

    >>> sigmoid_cross_entropy(jnp.array([0.0, 1e4]), jnp.array([1, 1])).round(4)
    Array(0.3466, dtype=float32)
    """
    name = "sigmoid_cross_entropy"
    z, y = binary(logits, targets, mask, name, smoothing)
    hit = jax.nn.softplus(-z)
    if positive_weight is not None:
        factor = jnp.asarray(positive_weight, z.dtype)
        if factor.shape != z.shape[z.ndim - factor.ndim :]:
            raise ValueError(
                f"positive_weight of {name} must be a number or have the shape of the last axes of "
                f"the logits {describe(z)}, but is {describe(factor)}"
            )
        hit = jnp.broadcast_to(factor, z.shape) * hit
    return reduce(y * hit + (1 - y) * jax.nn.softplus(z), weights, mask, reduction, name)


def softmax_cross_entropy(
    logits: jax.Array,
    labels: jax.Array,
    *,
    class_weights: Weights | None = None,
    smoothing: float = 0.0,
    ignore: int | None = None,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``-mean(log softmax(logits)[label])``, the mean over all axes but the last.

    Logits are ``[..., C]`` for C classes; labels are class numbers ``[...]``, integers from 0 to
    C - 1, or distributions ``[..., C]`` such as one-hot rows. ``smoothing`` mixes the labels with
    that share of the uniform distribution. Logits of -inf rule out a class. ``class_weights [C]``
    multiply each class's part, and the mean of class numbers is then weighed by the labels', as in
    PyTorch. Examples with the class number ``ignore``, such as -100, do not count. Weights, mask
    and reduction are those of ``reduce``.
    Raises ValueError for labels of another shape, class numbers that are not integers, empty
    batches and, where they can be seen, class numbers that do not exist or rows of labels that
    do not sum to 1; under ``jit`` a class number that does not exist makes the loss NaN.

    >>> softmax_cross_entropy(jnp.zeros((2, 4)), jnp.array([0, 3])).round(4)
    Array(1.3863, dtype=float32)
    """
    name = "softmax_cross_entropy"
    logits, labels, mask = labelled(logits, labels, mask, ignore, name)
    log_p = jax.nn.log_softmax(logits)
    each, share = log_likelihood(log_p, labels, name, smoothing, class_weights)
    return -reduce(each, weights, mask, reduction, name, share=share)


def negative_log_likelihood(
    log_probabilities: jax.Array,
    labels: jax.Array,
    *,
    class_weights: Weights | None = None,
    ignore: int | None = None,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``-mean(log p[label])`` of log-probabilities ``[..., C]``, such as a log-softmax's.

    Labels, options and errors are those of ``softmax_cross_entropy``; raises ValueError also for
    log-probabilities that can be seen to be above 0.

    >>> negative_log_likelihood(jnp.log(jnp.array([[0.25, 0.75]])), jnp.array([0])).round(4)
    Array(1.3863, dtype=float32)
    """
    name = "negative_log_likelihood"
    log_p, labels, mask = labelled(log_probabilities, labels, mask, ignore, name)
    if mask is None:
        check_log(log_p, name)
    each, share = log_likelihood(log_p, labels, name, class_weights=class_weights)
    return -reduce(each, weights, mask, reduction, name, share=share)


def categorical_cross_entropy(
    probabilities: jax.Array,
    labels: jax.Array,
    *,
    smoothing: float = 0.0,
    ignore: int | None = None,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``-mean(log p[label])`` of probabilities, such as a softmax's, exactly as in Keras.

    Probabilities ``[..., C]`` are divided by their sum and clipped to [1e-7, 1 - 1e-7]; beyond
    these bounds the gradient is 0, so prefer ``softmax_cross_entropy`` on logits, which needs
    none. Labels, options and errors are as there; raises ValueError also for probabilities that can
    be seen to lie outside [0, 1].

    >>> categorical_cross_entropy(jnp.array([[0.25, 0.75]]), jnp.array([0])).round(4)
    Array(1.3863, dtype=float32)
    """
    name = "categorical_cross_entropy"
    p, labels, mask = labelled(probabilities, labels, mask, ignore, name)
    check_within(p, f"the prediction of {name}", "give logits to softmax_cross_entropy instead")
    p = p / p.sum(-1, keepdims=True)
    log_p = jnp.log(jnp.clip(p, 1e-7, 1 - 1e-7))
    each, _ = log_likelihood(log_p, labels, name, smoothing)
    return -reduce(each, weights, mask, reduction, name)


def generalized_cross_entropy(
    probabilities: jax.Array,
    labels: jax.Array,
    *,
    q: float = 0.7,
    ignore: int | None = None,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``mean((1 - p[label]^q) / q)``, which noisy labels mislead less (arXiv:1805.07836).

    With ``q`` near 0 it is the cross-entropy, with 1 it is ``1 - p``, an absolute error.
    Probabilities are ``[..., C]``; labels, options and errors are those of
    ``softmax_cross_entropy``. Raises ValueError also unless ``0 < q <= 1``, and for probabilities
    that can be seen to lie outside [0, 1].

    >>> generalized_cross_entropy(jnp.array([[0.25, 0.75]]), jnp.array([0]), q=0.5)
    Array(1., dtype=float32)
    """
    name = "generalized_cross_entropy"
    check_positive(q, f"q of {name}")
    if q > 1:
        raise ValueError(f"q of {name} must be at most 1, where the loss is 1 - p, but is {q}")
    p, labels, mask = labelled(probabilities, labels, mask, ignore, name)
    check_within(p, f"the prediction of {name}", "make them of logits: jax.nn.softmax(logits)")
    hit = likelihood(p, labels)
    power = jnp.where(hit > 0, jnp.where(hit > 0, hit, 1) ** q, 0 * hit)
    return reduce((1 - power) / q, weights, mask, reduction, name)


def kl_divergence(
    log_probabilities: jax.Array,
    targets: jax.Array,
    *,
    log_target: bool = False,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean over examples of ``sum_c y_c (log y_c - log p_c)``: how far ``p`` is from ``y``.

    Log-probabilities ``log p`` and distributions ``y`` are ``[..., C]``; with ``log_target`` the
    latter are logarithms, too. A target of 0 costs nothing. So the mean is PyTorch's "batchmean".
    Weights, mask and reduction are those of ``reduce``, with a loss for each example ``[...]``.
    Raises ValueError for unequal shapes, empty inputs, and logarithms that can be seen to be
    above 0.

    >>> kl_divergence(jnp.log(jnp.array([[0.25, 0.75]])), jnp.array([[0.5, 0.5]])).round(4)
    Array(0.1438, dtype=float32)
    """
    name = "kl_divergence"
    log_p, y = entries(log_probabilities, targets, mask, name)
    check_axes(log_p, 1, f"the prediction of {name}")
    if mask is None:
        check_log(log_p, name)
    if not log_target:
        check_within(y, f"the target of {name}", "with log_target=True give logarithms")
    possible = y > (-jnp.inf if log_target else 0)
    y = jnp.where(possible, y, 1)
    terms = jnp.exp(y) * (y - log_p) if log_target else y * (jnp.log(y) - log_p)
    return reduce(jnp.where(possible, terms, 0).sum(-1), weights, mask, reduction, name)


def binary(
    predictions: Any, targets: Any, mask: Any, name: str, smoothing: float = 0.0
) -> tuple[jax.Array, jax.Array]:
    """Both in the dtype to compute in; raises unless targets lie within [0, 1]."""
    predictions, targets = entries(predictions, targets, mask, name)
    fix = "labels of -1 and 1 become 0 and 1 by (y + 1) / 2, and class numbers by one_hot"
    check_within(targets, f"the target of {name}", fix)
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing of {name} is a share from 0 to 1, but is {smoothing}")
    if smoothing:
        targets = targets * (1 - smoothing) + 0.5 * smoothing
    return predictions, targets


@jax.custom_jvp
def _clamped_logs(p: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.maximum(jnp.log(p), -100), jnp.maximum(jnp.log1p(-p), -100)


@_clamped_logs.defjvp
def _clamped_logs_jvp(primals: Any, tangents: Any) -> Any:
    (p,), (tangent,) = primals, tangents
    # 1/p and -1/(1 - p) over one denominator, which PyTorch keeps away from 0.
    step = tangent / jnp.maximum(p * (1 - p), 1e-12)
    return _clamped_logs(p), ((1 - p) * step, -p * step)
