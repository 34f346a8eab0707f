"""Scores of confusion matrices.

A matrix is ``[C, C]``, of ``confusion_matrix``, or ``[L, 2, 2]``, of ``multilabel_confusion``.
Either says for each class, or label, how many are true positives t, false positives p, false
negatives n and true negatives r. A score that would be 0 / 0 is 0.

``average`` is ``"none"`` for one score a class ``[C]``; ``"macro"`` for their mean; ``"weighted"``
for the mean weighed by how often each class is true; ``"micro"`` for the score of the sums of t, p,
n and r over all classes.
"""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_choice, check_positive
from jaxnet.core.errors import describe, is_array
from jaxnet.metrics.metric import share, total

type Average = Literal["none", "micro", "macro", "weighted"]


class Scores(NamedTuple):
    """Precision, recall and F1, each with one entry a class: ``[C]``."""

    precision: jax.Array
    recall: jax.Array
    f1: jax.Array


def precision_recall_f1(matrix: jax.Array) -> Scores:
    """Each class's scores ``[C]`` from a confusion matrix, 0 where undefined.

    With true positives t, false positives p and false negatives n of a class: precision
    ``t / (t + p)``, recall ``t / (t + n)`` and F1 ``2 t / (2 t + p + n)``.
    Raises ValueError unless the matrix is square.

    >>> precision_recall_f1(jnp.array([[1, 1], [0, 2]])).recall
    Array([0.5, 1. ], dtype=float32)
    """
    return Scores(precision(matrix), recall(matrix), f_beta(matrix))


def precision(matrix: jax.Array, average: Average = "none") -> jax.Array:
    """``t / (t + p)``: the share of what was predicted as a class that is of it.

    Raises ValueError unless the matrix is one, and for another ``average``.

    >>> precision(jnp.array([[1, 1], [0, 3]]))
    Array([1.  , 0.75], dtype=float32)
    """
    t, p, n, _ = _outcomes(matrix)
    return _averaged(t, t + p, t + n, average, "precision")


def recall(matrix: jax.Array, average: Average = "none") -> jax.Array:
    """``t / (t + n)``: the share of a class that was predicted as such; its sensitivity.

    Raises ValueError as ``precision``.

    >>> recall(jnp.array([[1, 1], [0, 3]]), "macro")
    Array(0.75, dtype=float32)
    """
    t, _, n, _ = _outcomes(matrix)
    return _averaged(t, t + n, t + n, average, "recall")


def specificity(matrix: jax.Array, average: Average = "none") -> jax.Array:
    """``r / (r + p)``: the share of what is not of a class that was not predicted as such.

    Raises ValueError as ``precision``.

    >>> specificity(jnp.array([[1, 1], [0, 3]]))
    Array([1. , 0.5], dtype=float32)
    """
    t, p, n, r = _outcomes(matrix)
    return _averaged(r, r + p, t + n, average, "specificity")


def f_beta(matrix: jax.Array, average: Average = "none", *, beta: float = 1.0) -> jax.Array:
    """``(1 + b²) t / ((1 + b²) t + b² n + p)``: the harmonic mean of precision and recall.

    Recall counts ``beta`` times as much as precision. With ``beta=1`` it is the F1 score, which is
    also Dice's coefficient. Raises ValueError as ``precision``, and unless ``beta`` is positive.

    >>> f_beta(jnp.array([[1, 1], [0, 3]]), "micro")
    Array(0.8, dtype=float32)
    """
    check_positive(beta, "beta of f_beta")
    t, p, n, _ = _outcomes(matrix)
    square = beta**2
    hits = (1 + square) * t
    return _averaged(hits, hits + square * n + p, t + n, average, "f_beta")


def iou(matrix: jax.Array, average: Average = "none") -> jax.Array:
    """``t / (t + p + n)``: intersection over union, Jaccard's index.

    Raises ValueError as ``precision``.

    >>> iou(jnp.array([[1, 1], [0, 3]]))
    Array([0.5 , 0.75], dtype=float32)
    """
    t, p, n, _ = _outcomes(matrix)
    return _averaged(t, t + p + n, t + n, average, "iou")


def mean_iou(matrix: jax.Array) -> jax.Array:
    """The mean of ``iou`` over those classes that are true or predicted at least once.

    So it is in Keras; ``iou(matrix, "macro")`` counts the other classes as 0. Raises ValueError as
    ``precision``.

    >>> mean_iou(jnp.array([[1, 1, 0], [0, 3, 0], [0, 0, 0]]))
    Array(0.625, dtype=float32)
    """
    t, p, n, _ = _outcomes(matrix)
    return _mean_of_those(t, t + p + n)


def balanced_accuracy(matrix: jax.Array) -> jax.Array:
    """The mean of ``recall`` over those classes that are true at least once.

    Raises ValueError as ``precision``.

    >>> balanced_accuracy(jnp.array([[1, 1, 0], [0, 3, 0], [0, 0, 0]]))
    Array(0.75, dtype=float32)
    """
    t, _, n, _ = _outcomes(matrix)
    return _mean_of_those(t, t + n)


def matthews(matrix: jax.Array) -> jax.Array:
    """Matthews' correlation of true and predicted classes, from -1 to 1; also called phi.

    ``sum(t r - p n) / sqrt(sum((t + p) (n + r)) * sum((t + n) (p + r)))``, the sums over classes
    (Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006). 0 where all are of one class or
    predicted as one. Raises ValueError as ``precision``, and for several matrices.

    >>> matthews(jnp.array([[2, 1], [1, 2]])).round(4)
    Array(0.3333, dtype=float32)
    """
    matrix = _single(matrix, "matthews")
    # Of shares, whose products do not overflow.
    t, p, n, r = (share(count, matrix.sum()) for count in _outcomes(matrix))
    predicted, true = ((t + p) * (n + r)).sum(), ((t + n) * (p + r)).sum()
    return share((t * r - p * n).sum(), jnp.sqrt(predicted) * jnp.sqrt(true))


def cohen_kappa(
    matrix: jax.Array, *, distance: Literal["equal", "linear", "quadratic"] = "equal"
) -> jax.Array:
    """Cohen's kappa: how far the classes agree beyond what chance would give, at most 1.

    ``1 - sum(d m) / sum(d e)`` of the matrix m and that of chance, ``e_ij = m_i. m_.j / m_..``.
    ``distance`` is what it costs to take class i for j: d is 1 for all i ≠ j, ``|i - j|``, or
    ``(i - j)²``. 0 where chance alone would agree. Raises ValueError as ``precision``, for several
    matrices, and for another distance.

    >>> cohen_kappa(jnp.array([[2, 1], [1, 2]])).round(4)
    Array(0.3333, dtype=float32)
    """
    check_choice(distance, ("equal", "linear", "quadratic"), "distance", "cohen_kappa")
    matrix = _single(matrix, "cohen_kappa")
    found = share(matrix, matrix.sum())
    chance = found.sum(1, keepdims=True) * found.sum(0, keepdims=True)
    numbers = jnp.arange(matrix.shape[0], dtype=found.dtype)
    apart = jnp.abs(numbers[:, None] - numbers[None, :])
    costs = {"equal": jnp.sign(apart), "linear": apart, "quadratic": jnp.square(apart)}[distance]
    expected = (costs * chance).sum()
    return share(expected - (costs * found).sum(), expected)


def _outcomes(matrix: Any) -> list[jax.Array]:
    """True and false positives, false and true negatives, each ``[C]``."""
    shape = matrix.shape if is_array(matrix) else ()
    if len(shape) == 3 and shape[1:] == (2, 2):
        counts = matrix[:, 1, 1], matrix[:, 0, 1], matrix[:, 1, 0], matrix[:, 0, 0]
    elif len(shape) == 2 and shape[0] == shape[1]:
        hits = jnp.diagonal(matrix)
        wrong = matrix - jnp.diag(hits)
        false, missed = total(wrong, 0), total(wrong, 1)
        # Of whole numbers, so that the difference is exact.
        counts = hits, false, missed, total(matrix) - hits - false - missed
    else:
        raise ValueError(
            "a confusion matrix [classes, classes], or [labels, 2, 2], was needed, but "
            f"{describe(matrix)} was given; make one with confusion_matrix(classes)"
        )
    return [count.astype(float) for count in counts]


def _single(matrix: Any, name: str) -> jax.Array:
    if is_array(matrix) and matrix.ndim == 3:
        raise ValueError(
            f"{name} takes one confusion matrix [classes, classes], but {describe(matrix)} was "
            f"given; take them one by one: jax.vmap({name})(matrix)"
        )
    _outcomes(matrix)
    return jnp.asarray(matrix)


def _averaged(
    part: jax.Array, whole: jax.Array, support: jax.Array, average: Average, name: str
) -> jax.Array:
    check_choice(average, ("none", "micro", "macro", "weighted"), "average", name)
    if average == "micro":
        return share(part.sum(), whole.sum())
    each = share(part, whole)
    if average == "weighted":
        return share((support * each).sum(), support.sum())
    return each.mean() if average == "macro" else each


def _mean_of_those(part: jax.Array, whole: jax.Array) -> jax.Array:
    return share(share(part, whole).sum(), (whole > 0).sum())
