"""Losses that order: which of two is better, and which of two is nearer."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_float, check_positive, check_prediction, matched
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array
from jaxnet.losses.labels import check_signs
from jaxnet.losses.margin import positive_part
from jaxnet.losses.reduce import Reduction, entries, reduce, shown
from jaxnet.nn.distance import pairwise_distance


def margin_ranking(
    first: jax.Array,
    second: jax.Array,
    targets: jax.Array,
    *,
    margin: float = 0.0,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``max(0, margin - y (s1 - s2))``: the first score higher where ``y`` is 1.

    Scores and targets are ``[...]``, targets 1, or -1 where the second should be higher, as in
    PyTorch. Weights, mask and reduction are those of ``reduce``. Raises ValueError for unequal
    shapes, empty inputs and targets that can be seen to be neither -1 nor 1.

    >>> margin_ranking(jnp.array([1.0, 2.0]), jnp.array([3.0, 1.0]), jnp.array([1, 1]))
    Array(1., dtype=float32)
    """
    name = "margin_ranking"
    check_float(second, f"the second score of {name}")
    a, b = entries(first, second, mask, name)
    _, y = entries(first, targets, mask, name)
    check_signs(y, name)
    return reduce(positive_part(margin - y * (a - b)), weights, mask, reduction, name)


def cosine_embedding(
    first: jax.Array,
    second: jax.Array,
    targets: jax.Array,
    *,
    margin: float = 0.0,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``1 - cos`` where ``y`` is 1, and of ``max(0, cos - margin)`` where it is -1.

    Vectors are ``[..., D]`` and targets ``[...]``, -1 or 1. As in PyTorch 1e-12 is added to the
    squared lengths. Weights, mask and reduction are those of ``reduce``, with a loss for each pair
    ``[...]``. Raises ValueError for other shapes, empty inputs and targets that can be seen to be
    neither -1 nor 1.

    >>> x, y = jnp.array([[1.0, 0.0], [1.0, 0.0]]), jnp.array([[0.0, 2.0], [5.0, 0.0]])
    >>> cosine_embedding(x, y, jnp.array([1, -1]))
    Array(1., dtype=float32)
    """
    name = "cosine_embedding"
    check_float(second, f"the second vectors of {name}")
    a, b = entries(first, second, mask, name)
    check_axes(a, 1, f"the first vectors of {name}")
    if not is_array(targets) or targets.shape != a.shape[:-1]:
        raise ValueError(
            f"the target of {name} must be -1 or 1 for each pair of vectors, {a.shape[:-1]}, but "
            f"is {describe(targets)}"
        )
    y = shown(jnp.asarray(targets), mask, name)
    check_signs(y, name)
    lengths = (jax.lax.rsqrt(jnp.square(x).sum(-1) + 1e-12) for x in (a, b))
    cosine = (a * b).sum(-1) * next(lengths) * next(lengths)
    each = jnp.where(y > 0, 1 - cosine, positive_part(cosine - margin))
    return reduce(each, weights, mask, reduction, name)


def triplet_margin(
    anchors: jax.Array,
    positives: jax.Array,
    negatives: jax.Array,
    *,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``max(0, margin + d(a, p) - d(a, n))``: alike nearer than unlike, by a margin.

    Vectors are ``[..., D]``, and ``d`` is the ``p``-norm of the difference plus ``eps``, as in
    PyTorch. With ``swap`` the negative is compared with the anchor or the positive, whichever is
    nearer (Balntas et al. 2016). Weights, mask and reduction are those of ``reduce``, with a loss
    for each triplet ``[...]``. Raises ValueError for unequal shapes, empty inputs and a ``margin``
    that is not positive.

    >>> near, far = jnp.zeros((1, 2)), jnp.full((1, 2), 0.5)
    >>> triplet_margin(near, near, far).round(4)
    Array(0.2929, dtype=float32)
    """
    distance = functools.partial(pairwise_distance, p=p, eps=eps)
    vectors = _triplet(anchors, positives, negatives, mask, "triplet_margin")
    each = _gap(vectors, distance, margin, swap, "triplet_margin")
    return reduce(each, weights, mask, reduction, "triplet_margin")


def triplet_margin_with_distance(
    anchors: jax.Array,
    positives: jax.Array,
    negatives: jax.Array,
    distance: Callable[[jax.Array, jax.Array], jax.Array],
    *,
    margin: float = 1.0,
    swap: bool = False,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``triplet_margin`` with a ``distance`` of one's own, ``[..., D], [..., D] -> [...]``.

    Inputs, options and errors are those of ``triplet_margin``; raises ValueError also where the
    distance has another shape.

    >>> near, far = jnp.zeros((1, 2)), jnp.full((1, 2), 0.25)
    >>> square = lambda x, y: jnp.square(x - y).sum(-1)
    >>> triplet_margin_with_distance(near, near, far, square)
    Array(0.875, dtype=float32)
    """
    name = "triplet_margin_with_distance"
    vectors = _triplet(anchors, positives, negatives, mask, name)
    each = _gap(vectors, distance, margin, swap, name)
    if each.shape != vectors[0].shape[:-1]:
        raise ValueError(
            f"distance of {name} must reduce the last axis of {describe(vectors[0])}, but returned "
            f"{describe(each)}"
        )
    return reduce(each, weights, mask, reduction, name)


def _triplet(anchors: Any, positives: Any, negatives: Any, mask: Any, name: str) -> list[jax.Array]:
    check_prediction(negatives, f"negatives of {name}")
    check_float(positives, f"positives of {name}")
    matched(anchors, positives, name)
    matched(anchors, negatives, name)
    check_axes(anchors, 1, f"anchors of {name}")
    dtype = at_least_float32(anchors, positives, negatives)
    return [
        shown(jnp.asarray(x).astype(dtype), mask, name) for x in (anchors, positives, negatives)
    ]


def _gap(
    vectors: list[jax.Array], distance: Any, margin: float, swap: bool, name: str
) -> jax.Array:
    check_positive(margin, f"margin of {name}")
    a, p, n = vectors
    apart = distance(a, n)
    if swap:
        apart = jnp.minimum(apart, distance(p, n))
    return positive_part(margin + distance(a, p) - apart)
