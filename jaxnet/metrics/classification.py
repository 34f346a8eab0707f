"""How often the class is right, and how good its probability is."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_size, check_within
from jaxnet.losses.labels import label_hits, labelled
from jaxnet.losses.reduce import entries, reduce


def accuracy(
    logits: jax.Array,
    labels: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
) -> jax.Array:
    """The share of rows whose largest entry is at the label, a float32 number.

    ``logits [..., C]`` may be probabilities as well; labels are class numbers ``[...]`` or one-hot
    rows ``[..., C]``. Weights and mask are those of ``losses.reduce``. Raises ValueError for labels
    of another shape or that are not integers, and for an empty batch.

    >>> accuracy(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1]))
    Array(0.5, dtype=float32)
    """
    logits, labels, mask = class_numbers(logits, labels, mask, "accuracy")
    hits = logits.argmax(-1).astype(jnp.int32) == labels
    return reduce(hits.astype(logits.dtype), weights, mask, name="accuracy")


def top_k_accuracy(
    logits: jax.Array,
    labels: jax.Array,
    k: int = 5,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
) -> jax.Array:
    """The share of rows whose label is among the ``k`` largest entries.

    Of equal entries the first counts as the largest, as in ``jax.lax.top_k``; so with ``k=1`` it
    is ``accuracy``. Inputs, options and errors are as there; raises ValueError also unless ``k`` is
    from 1 to the number of classes.

    >>> top_k_accuracy(jnp.array([[0.1, 0.5, 0.4], [0.8, 0.1, 0.1]]), jnp.array([2, 2]), 2)
    Array(0.5, dtype=float32)
    """
    name = "top_k_accuracy"
    check_size(k, f"k of {name}")
    logits, labels, mask = class_numbers(logits, labels, mask, name)
    classes = logits.shape[-1]
    if k > classes:
        raise ValueError(f"k={k} of {name} must be at most the number of classes, here {classes}")
    hits, known = label_hits(labels, classes)
    at_label = jnp.where(hits, logits, 0).sum(-1, keepdims=True)
    # Those of equal size come first that stand before the label.
    before = jnp.cumsum(hits, -1, dtype=jnp.int32) == 0
    ahead = (logits > at_label) | ((logits == at_label) & before)
    hit = known & (ahead.sum(-1, dtype=jnp.int32) < k)
    return reduce(hit.astype(logits.dtype), weights, mask, name=name)


def binary_accuracy(
    probabilities: jax.Array,
    targets: jax.Array,
    *,
    threshold: float = 0.5,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
) -> jax.Array:
    """The share of entries for which ``probability > threshold`` agrees with the target, 0 or 1.

    Both are ``[...]`` of one shape; of logits take ``jax.nn.sigmoid`` first. Weights and mask are
    those of ``losses.reduce``. Raises ValueError for unequal shapes, an empty batch, and
    probabilities that can be seen to lie outside [0, 1].

    >>> binary_accuracy(jnp.array([0.9, 0.2, 0.7]), jnp.array([1, 0, 0])).round(4)
    Array(0.6667, dtype=float32)
    """
    name = "binary_accuracy"
    p, y = entries(probabilities, targets, mask, name)
    check_within(p, f"the prediction of {name}", "for logits give jax.nn.sigmoid(logits)")
    hits = (p > threshold) == (y > 0.5)
    return reduce(hits.astype(p.dtype), weights, mask, name=name)


def brier(
    probabilities: jax.Array,
    labels: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
) -> jax.Array:
    """Brier's score ``mean(sum_c (p_c - y_c)^2)`` of probabilities ``[..., C]``, from 0 to 2.

    Labels are class numbers ``[...]`` or distributions ``[..., C]``; a proper score, lowest for
    the true probabilities. For probabilities of yes or no ``losses.mean_squared_error`` is half of
    it. Weights and mask are those of ``losses.reduce``. Raises ValueError as ``accuracy``, and for
    probabilities that can be seen to lie outside [0, 1].

    >>> brier(jnp.array([[0.25, 0.75]]), jnp.array([0]))
    Array(1.125, dtype=float32)
    """
    p, labels, mask = labelled(probabilities, labels, mask, None, "brier")
    check_within(p, "the prediction of brier", "for logits give jax.nn.softmax(logits)")
    known = jnp.ones(labels.shape[: p.ndim - 1], bool)
    if labels.ndim < p.ndim:
        labels, known = label_hits(labels, p.shape[-1])
    each = jnp.square(p - labels.astype(p.dtype)).sum(-1)
    return reduce(jnp.where(known, each, jnp.nan), weights, mask, name="brier")


def class_numbers(
    logits: Any, labels: Any, mask: Any, name: str
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    """Logits ``[..., C]``, the labels ``[...]`` as int32, and the mask; raises unless they fit."""
    logits, labels, mask = labelled(logits, labels, mask, None, name)
    labels = labels.argmax(-1) if labels.ndim == logits.ndim else labels
    return logits, labels.astype(jnp.int32), mask
