"""Metrics: functions that average over one batch, and pure accumulators over many.

A ``Metric`` is four pure functions on a plain state, so it runs under ``jit`` and in a ``scan``:

>>> metric = streaming(accuracy)
>>> state = metric.init()
>>> for logits, labels in [(jnp.eye(2), jnp.array([0, 1])), (jnp.eye(2)[:1], jnp.array([1]))]:
...     state = metric.update(state, logits, labels)
>>> metric.compute(state).round(4)
Array(0.6667, dtype=float32)
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_labelled, check_size, check_within, matched
from jaxnet.core.errors import describe, is_array, seen


class Metric(NamedTuple):
    """``init()``, ``update(state, *batch)``, ``merge(state, other)`` and ``compute(state)``."""

    init: Callable[[], Any]
    update: Callable[..., Any]
    merge: Callable[[Any, Any], Any]
    compute: Callable[[Any], Any]


class Scores(NamedTuple):
    """Precision, recall and F1, each with one entry a class: ``[C]``."""

    precision: jax.Array
    recall: jax.Array
    f1: jax.Array


def accuracy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The share of rows whose largest entry is at the label, a float32 number.

    ``logits [..., C]`` may be probabilities as well; labels are class numbers ``[...]`` or one-hot
    rows ``[..., C]``. Raises ValueError for labels of another shape or that are not integers, and
    for an empty batch.

    >>> accuracy(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1]))
    Array(0.5, dtype=float32)
    """
    labels = _class_numbers(logits, labels, "accuracy")
    return (logits.argmax(-1) == labels).mean(dtype=jnp.float32)


def binary_accuracy(probabilities: jax.Array, targets: jax.Array) -> jax.Array:
    """The share of entries for which ``probability > 0.5`` agrees with the target of 0 or 1.

    Both are ``[...]`` of one shape; of logits take ``jax.nn.sigmoid`` first. Raises ValueError
    for unequal shapes, an empty batch, and probabilities that can be seen to lie outside [0, 1].

    >>> binary_accuracy(jnp.array([0.9, 0.2, 0.7]), jnp.array([1, 0, 0])).round(4)
    Array(0.6667, dtype=float32)
    """
    p, y = matched(probabilities, targets, "binary_accuracy")
    fix = "for logits give jax.nn.sigmoid(logits)"
    check_within(p, "the prediction of binary_accuracy", fix)
    return ((p > 0.5) == (y > 0.5)).mean(dtype=jnp.float32)


def streaming(fn: Callable[..., jax.Array]) -> Metric:
    """The mean over all examples of ``fn``, a mean over the examples of one batch.

    ``update(state, *batch)`` weighs ``fn(*batch)``, a scalar, by the batch's size, which is the
    first axis of all its arrays: over uneven batches the result is that on the whole.
    Raises ValueError for arrays without one common first axis, if ``fn`` does not return one
    number, and for ``compute`` before any update (under ``jit`` that is NaN).

    >>> mean = streaming(jnp.mean)
    >>> state = mean.update(mean.init(), jnp.array([1.0, 2.0, 3.0]))
    >>> mean.compute(mean.update(state, jnp.array([6.0])))
    Array(3., dtype=float32)
    """

    def init() -> dict[str, jax.Array]:
        return {"mean": jnp.zeros(()), "examples": jnp.zeros((), jnp.int32)}

    def update(state: dict[str, jax.Array], *batch: Any) -> dict[str, jax.Array]:
        sizes = {leaf.shape[:1] for leaf in jax.tree.leaves(batch) if is_array(leaf)}
        if len(sizes) != 1 or sizes == {()}:
            raise ValueError(
                "a streaming metric weighs batches by their first axis, one for all arrays, but "
                f"was given {', '.join(map(describe, jax.tree.leaves(batch))) or 'none'}; "
                "close over what is not part of the batch, such as parameters"
            )
        ((size,),) = sizes
        value = fn(*batch)
        if jnp.shape(value):
            raise ValueError(
                f"a streaming metric averages one number a batch, but was given {describe(value)}; "
                "take the mean over the examples"
            )
        new = {"mean": jnp.asarray(value, jnp.result_type(float)), "examples": jnp.int32(size)}
        return merge(state, new)

    def merge(state: dict[str, jax.Array], other: dict[str, jax.Array]) -> dict[str, jax.Array]:
        # Means rather than sums: these stay exact however many examples there are.
        examples = state["examples"] + other["examples"]
        dtype = state["mean"].dtype
        share = other["examples"].astype(dtype) / jnp.maximum(examples, 1).astype(dtype)
        mean = state["mean"] + share * (other["mean"] - state["mean"])
        return {"mean": mean, "examples": examples}

    def compute(state: dict[str, jax.Array]) -> jax.Array:
        if seen(state["examples"]) == 0:
            raise ValueError("the mean of nothing is not defined: update the metric first")
        return jnp.where(state["examples"] > 0, state["mean"], jnp.nan)

    return Metric(init, update, merge, compute)


def confusion_matrix(classes: int) -> Metric:
    """Counts ``[classes, classes]`` of examples: rows are true classes, columns predicted ones.

    ``update(state, logits, labels)`` takes what ``accuracy`` takes, with the same errors, and
    raises ValueError for another number of classes. Labels that do not exist are an error where
    they can be seen, and are not counted under ``jit``.

    >>> metric = confusion_matrix(2)
    >>> metric.compute(metric.update(metric.init(), jnp.eye(2), jnp.array([0, 0])))
    Array([[1, 1],
           [0, 0]], dtype=int32)
    """
    check_size(classes, "classes of confusion_matrix")

    def update(counts: jax.Array, logits: jax.Array, labels: jax.Array) -> jax.Array:
        labels = _class_numbers(logits, labels, "confusion_matrix")
        if logits.shape[-1] != classes:
            raise ValueError(
                f"the confusion matrix has {classes} classes, but the logits are "
                f"{describe(logits)}, with {logits.shape[-1]} on their last axis"
            )
        # A negative label would count from the end.
        labels = jnp.where(labels < 0, classes, labels)
        return counts.at[labels, logits.argmax(-1)].add(1, mode="drop")

    return Metric(
        init=lambda: jnp.zeros((classes, classes), jnp.int32),
        update=update,
        merge=jnp.add,
        compute=lambda counts: counts,
    )


def precision_recall_f1(matrix: jax.Array) -> Scores:
    """Each class's scores ``[C]`` from a confusion matrix ``[C, C]``, 0 where undefined.

    With true positives t, false positives p and false negatives n of a class: precision
    ``t / (t + p)``, recall ``t / (t + n)`` and F1 ``2 t / (2 t + p + n)``.
    Raises ValueError unless the matrix is square.

    >>> precision_recall_f1(jnp.array([[1, 1], [0, 2]])).recall
    Array([0.5, 1. ], dtype=float32)
    """
    if not is_array(matrix) or matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"a confusion matrix [classes, classes] was needed, but {describe(matrix)} was given; "
            "make one with confusion_matrix(classes)"
        )
    hits, predicted, true = jnp.diagonal(matrix), matrix.sum(0), matrix.sum(1)

    def share(part: jax.Array, whole: jax.Array) -> jax.Array:
        return part.astype(jnp.float32) / jnp.maximum(whole, 1).astype(jnp.float32)

    return Scores(share(hits, predicted), share(hits, true), share(2 * hits, predicted + true))


def _class_numbers(logits: Any, labels: Any, metric: str) -> jax.Array:
    """The labels ``[...]`` as integers; raises unless they fit the logits ``[..., C]``."""
    logits, labels = check_labelled(logits, labels, metric)
    return labels.argmax(-1) if labels.ndim == logits.ndim else labels.astype(jnp.int32)
