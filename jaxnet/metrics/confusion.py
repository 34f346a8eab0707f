"""Confusion matrices: how often each class is taken for each."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_size, check_within
from jaxnet.core.errors import describe
from jaxnet.losses.reduce import entries
from jaxnet.metrics.classification import class_numbers
from jaxnet.metrics.metric import Metric, amounts, nothing


def confusion_matrix(classes: int, *, weighted: bool = False) -> Metric:
    """Counts ``[classes, classes]`` of examples: rows are true classes, columns predicted ones.

    ``update(state, logits, labels, weights=None, mask=None)`` takes what ``accuracy`` takes, with
    the same errors, and raises ValueError for another number of classes. Labels that do not exist
    are an error where they can be seen, and are not counted under ``jit``. Counts are int32, so of
    fewer than 2^31 examples; with ``weighted=True`` they are sums of weights. The scores of
    ``metrics.scores``, such as ``f_beta`` and ``mean_iou``, are made of it.

    >>> metric = confusion_matrix(2)
    >>> metric.compute(metric.update(metric.init(), jnp.eye(2), jnp.array([0, 0])))
    Array([[1, 1],
           [0, 0]], dtype=int32)
    """
    check_size(classes, "classes of confusion_matrix")

    def update(
        counts: jax.Array,
        logits: jax.Array,
        labels: jax.Array,
        *,
        weights: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        logits, labels, mask = class_numbers(logits, labels, mask, "confusion_matrix")
        if logits.shape[-1] != classes:
            raise ValueError(
                f"the confusion matrix has {classes} classes, but the logits are "
                f"{describe(logits)}, with {logits.shape[-1]} on their last axis"
            )
        each = amounts(labels.shape, weights, mask, weighted, "confusion_matrix")
        # A negative label would count from the end.
        labels = jnp.where(labels < 0, classes, labels)
        return counts.at[labels, logits.argmax(-1)].add(each, mode="drop")

    return _counting((classes, classes), weighted, update)


def multilabel_confusion(labels: int, *, threshold: float = 0.5, weighted: bool = False) -> Metric:
    """A confusion matrix for each of several labels that are true or not: ``[labels, 2, 2]``.

    ``update(state, probabilities, targets, weights=None, mask=None)`` takes probabilities
    ``[..., labels]`` and targets of 0 or 1 of that shape, and counts ``probability > threshold`` as
    predicted. ``matrix[l, i, j]`` is how often label ``l`` is ``i`` and predicted ``j``. Weights
    and mask have the shape of the targets, or of their first axes. A single label has an axis, too:
    ``probabilities[..., None]``. Raises ValueError for unequal shapes, another number of labels,
    and probabilities that can be seen to lie outside [0, 1].

    >>> multilabel_confusion(1)(jnp.array([[0.9], [0.8], [0.1]]), jnp.array([[1], [0], [0]]))
    Array([[[1, 1],
            [0, 1]]], dtype=int32)
    """
    name = "multilabel_confusion"
    check_size(labels, f"labels of {name}")

    def update(
        counts: jax.Array,
        probabilities: jax.Array,
        targets: jax.Array,
        *,
        weights: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        p, y = entries(probabilities, targets, mask, name)
        check_within(p, f"the prediction of {name}", "for logits give jax.nn.sigmoid(logits)")
        if p.shape[-1:] != (labels,):
            raise ValueError(
                f"{name} has {labels} labels, but the probabilities are {describe(p)}; they go on "
                "the last axis, a single one as probabilities[..., None]"
            )
        each = amounts(p.shape, weights, mask, weighted, name)
        numbers = jax.lax.broadcasted_iota(jnp.int32, p.shape, p.ndim - 1)
        truth, found = (y > 0.5).astype(jnp.int32), (p > threshold).astype(jnp.int32)
        return counts.at[numbers, truth, found].add(each)

    return _counting((labels, 2, 2), weighted, update)


def _counting(shape: tuple[int, ...], weighted: bool, update: Any) -> Metric:
    return Metric(lambda: nothing(shape, weighted), update, jnp.add, lambda counts: counts)
