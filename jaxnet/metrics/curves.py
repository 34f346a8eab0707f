"""What every threshold on a score would give: ROC, precision and recall, and their areas.

All are of scores and labels of 0 or 1, both ``[...]``, every entry one example. A score may be any
number that is larger where a label of 1 is more likely: probabilities or logits. Several labels
``[N, L]`` are scored one by one: ``jax.vmap(roc_auc, 1)(scores, labels)``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe
from jaxnet.losses.classification import binary
from jaxnet.metrics.metric import Metric, amounts, defined, nothing, share


class Roc(NamedTuple):
    """The points of a ROC curve, each ``[N + 1]``, thresholds falling from infinity."""

    false_positive_rate: jax.Array
    true_positive_rate: jax.Array
    thresholds: jax.Array


class PrecisionRecall(NamedTuple):
    """The points of precision and recall, each ``[N + 1]``, thresholds falling from infinity."""

    precision: jax.Array
    recall: jax.Array
    thresholds: jax.Array


def roc_curve(
    scores: jax.Array,
    labels: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
) -> Roc:
    """The rates of false and of true positives where ``score >= threshold`` counts as 1.

    Every score is a threshold, so that the N + 1 points are known in number; of equal scores each
    has the same point. Sorting takes most of the time. Weights and mask are those of
    ``losses.reduce``. Raises ValueError for unequal shapes, empty inputs, labels that can be seen
    to lie outside [0, 1] and, where that can be seen, labels that are all equal; under ``jit`` the
    rates are NaN then.

    >>> curve = roc_curve(jnp.array([0.1, 0.4, 0.35, 0.8]), jnp.array([0, 0, 1, 1]))
    >>> curve.false_positive_rate, curve.true_positive_rate
    (Array([0. , 0. , 0.5, 0.5, 1. ], dtype=float32), Array([0. , 0.5, 0.5, 1. , 1. ], ...))
    """
    true, false, thresholds = _sweep(scores, labels, weights, mask, "roc_curve")
    return Roc(_rate(false, "0"), _rate(true, "1"), thresholds)


def roc_auc(
    scores: jax.Array,
    labels: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
) -> jax.Array:
    """The area under ``roc_curve``: how often a 1 has a higher score than a 0, ties counting half.

    It is exact. Inputs, options and errors are those of ``roc_curve``. Over many batches it is
    ``binned(roc_auc)``.

    >>> roc_auc(jnp.array([0.1, 0.4, 0.35, 0.8]), jnp.array([0, 0, 1, 1]))
    Array(0.75, dtype=float32)
    """
    true, false, _ = _sweep(scores, labels, weights, mask, "roc_auc")
    x, y = _rate(false, "0"), _rate(true, "1")
    return (jnp.diff(x) * (y[1:] + y[:-1])).sum() / 2


def precision_recall_curve(
    scores: jax.Array,
    labels: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
) -> PrecisionRecall:
    """Precision and recall where ``score >= threshold`` counts as 1.

    The points are as in ``roc_curve``; the first, where nothing is found, has precision 1. Inputs,
    options and errors are as there, but labels may be all 1.

    >>> curve = precision_recall_curve(jnp.array([0.1, 0.4, 0.8]), jnp.array([0, 1, 1]))
    >>> curve.precision.round(4), curve.recall
    (Array([1.    , 1.    , 1.    , 0.6667], ...), Array([0. , 0.5, 1. , 1. ], dtype=float32))
    """
    true, false, thresholds = _sweep(scores, labels, weights, mask, "precision_recall_curve")
    return PrecisionRecall(_precision(true, false), _rate(true, "1"), thresholds)


def average_precision(
    scores: jax.Array,
    labels: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
) -> jax.Array:
    """``sum_n (R_n - R_{n-1}) P_n`` of precision P and recall R: the area under their curve.

    It is exact, and does not interpolate between the points. Inputs, options and errors are those
    of ``precision_recall_curve``. Over many batches it is ``binned(average_precision)``.

    >>> average_precision(jnp.array([0.1, 0.4, 0.35, 0.8]), jnp.array([0, 0, 1, 1])).round(4)
    Array(0.8333, dtype=float32)
    """
    true, false, _ = _sweep(scores, labels, weights, mask, "average_precision")
    return (jnp.diff(_rate(true, "1")) * _precision(true, false)[1:]).sum()


def binned(
    fn: Callable[..., Any],
    bins: int = 1000,
    *,
    low: float = 0.0,
    high: float = 1.0,
    weighted: bool = False,
) -> Metric:
    """A function such as ``roc_auc`` over many batches, of scores that are rounded into bins.

    ``update(state, scores, labels, weights=None, mask=None)`` counts labels of 0 and of 1 in
    ``bins`` equal intervals from ``low`` to ``high``, and ``compute`` is ``fn(scores, labels,
    weights=counts)`` with the middles of the bins as scores. What lies outside counts in the first
    or last bin; of logits take ``jax.nn.sigmoid`` first. Scores of one bin become equal ones, which
    changes ``roc_auc`` by at most half the share of pairs of a 0 and a 1 in one bin.
    Raises ValueError for a number of bins below 1, a range that is empty, unequal shapes, and
    labels that can be seen to lie outside [0, 1].

    >>> metric = binned(roc_auc, 100)
    >>> metric(jnp.array([0.1, 0.4, 0.35, 0.8]), jnp.array([0, 0, 1, 1])).round(4)
    Array(0.75, dtype=float32)
    """
    check_size(bins, "bins of binned")
    if not low < high:
        raise ValueError(
            f"low of binned must be below high, but they are {describe(low)} and {describe(high)}"
        )

    def update(
        counts: jax.Array,
        scores: jax.Array,
        labels: jax.Array,
        *,
        weights: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        s, y = binary(scores, labels, mask, "binned")
        each = amounts(s.shape, weights, mask, weighted, "binned")
        places = jnp.clip((s - low) * (bins / (high - low)), 0, bins - 1).astype(jnp.int32)
        return counts.at[(y > 0.5).astype(jnp.int32), places].add(each)

    def compute(counts: jax.Array) -> Any:
        middles = low + (jnp.arange(bins, dtype=float) + 0.5) * ((high - low) / bins)
        scores = jnp.broadcast_to(middles[None], counts.shape)
        labels = jax.lax.broadcasted_iota(jnp.int32, counts.shape, 0)
        return fn(scores, labels, weights=counts.astype(float))

    return Metric(lambda: nothing((2, bins), weighted), update, jnp.add, compute)


def _sweep(
    scores: Any, labels: Any, weights: Any, mask: Any, name: str
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """True and false positives and the threshold at each point, ``[N + 1]``, from none to all."""
    s, y = binary(scores, labels, mask, name)
    each = amounts(s.shape, weights, mask, weights is not None, name)
    order = jnp.argsort(s, axis=None, descending=True)
    s, y, each = (x.ravel()[order] for x in (s, y, each))
    # Of equal scores all are found or none: each has the counts of the last one.
    last = jnp.append(s[1:] != s[:-1], True)
    numbers = jnp.arange(s.size, dtype=jnp.int32)
    ends = jax.lax.cummin(jnp.where(last, numbers, s.size), reverse=True)
    true, false = (jnp.cumsum(jnp.where(hit, each, 0))[ends] for hit in (y > 0.5, y <= 0.5))
    start = jnp.zeros(1, true.dtype)
    thresholds = jnp.concatenate([jnp.full(1, jnp.inf, s.dtype), s])
    return jnp.concatenate([start, true]), jnp.concatenate([start, false]), thresholds


def _precision(true: jax.Array, false: jax.Array) -> jax.Array:
    found = true + false
    return jnp.where(found == 0, 1, share(true, found))


def _rate(counts: jax.Array, label: str) -> jax.Array:
    fix = f"no example that counts has the label {label}, so such a curve has no points"
    return defined(share(counts, counts[-1]), counts[-1], fix)
