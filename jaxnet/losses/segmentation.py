"""Overlap of regions: losses of whole masks rather than of their pixels."""

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_at_least, check_axis, check_positive, check_within
from jaxnet.losses.classification import binary
from jaxnet.losses.reduce import Reduction, reduce, shown


def dice(
    probabilities: jax.Array,
    targets: jax.Array,
    *,
    axis: int | tuple[int, ...] | None = None,
    eps: float = 1e-7,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``1 - 2 sum(p y) / (sum p + sum y + eps)``: one less twice the overlap's share, as in Keras.

    Probabilities and targets are ``[...]`` within [0, 1] (arXiv:1606.04797). The sums are over
    ``axis``, by default all, and the other axes have a loss each: ``(-3, -2, -1)`` for each image
    ``[..., H, W, C]``, ``(0, 1, 2)`` for each class of a batch. ``mask`` has the first axes of the
    targets, and takes pixels out of the sums; weights and reduction are those of ``reduce``.
    Raises ValueError for unequal shapes, empty inputs, an axis there is not, an ``eps`` that is not
    positive and values that can be seen to lie outside [0, 1].

    >>> dice(jnp.array([[1.0, 1.0], [0.0, 0.5]]), jnp.array([[1, 0], [0, 1]]), axis=-1).round(4)
    Array(0.3333, dtype=float32)
    """
    check_positive(eps, "eps of dice")
    return _overlap(
        probabilities, targets, 0.5, 0.5, axis, eps / 2, weights, mask, reduction, "dice"
    )


def tversky(
    probabilities: jax.Array,
    targets: jax.Array,
    *,
    false_positives: float = 0.5,
    false_negatives: float = 0.5,
    axis: int | tuple[int, ...] | None = None,
    eps: float = 1e-7,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``1 - t / (t + a f + b n + eps)`` of true and false positives and false negatives.

    These are ``sum(p y)``, ``sum(p (1 - y))`` and ``sum((1 - p) y)``, the latter weighed by
    ``false_positives`` and ``false_negatives``: with 0.5 and 0.5 it is ``dice``, with 1 and 1 one
    less the Jaccard index (arXiv:1706.05721). (Keras's ``alpha`` weighs the false negatives, its
    ``beta`` the false positives.) Inputs, options and errors are those of ``dice``; raises
    ValueError also for negative weights.

    >>> tversky(jnp.array([1.0, 1.0, 0.0]), jnp.array([1, 0, 0]), false_positives=1.0).round(4)
    Array(0.5, dtype=float32)
    """
    check_positive(eps, "eps of tversky")
    check_at_least(false_positives, 0, "false_positives of tversky")
    check_at_least(false_negatives, 0, "false_negatives of tversky")
    return _overlap(
        probabilities, targets, false_positives, false_negatives, axis, eps, weights, mask,
        reduction, "tversky",
    )  # fmt: skip


def _overlap(
    probabilities: jax.Array,
    targets: jax.Array,
    false_positives: float,
    false_negatives: float,
    axis: int | tuple[int, ...] | None,
    eps: float,
    weights: jax.Array | None,
    mask: jax.Array | None,
    reduction: Reduction,
    name: str,
) -> jax.Array:
    p, y = binary(probabilities, targets, mask, name)
    check_within(p, f"the prediction of {name}", "make them of logits: jax.nn.sigmoid(logits)")
    axes = tuple(range(p.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for one in axes:
        check_axis(p, one, name)
    counted = None
    if mask is not None:
        # What is neither there nor found is in none of the sums.
        p, y = shown(p, mask, name, 0), shown(y, mask, name, 0)
        counted = shown(jnp.ones(p.shape, bool), mask, name, 0).any(axes)
    hits = (p * y).sum(axes)
    wrong = false_positives * (p * (1 - y)).sum(axes) + false_negatives * ((1 - p) * y).sum(axes)
    return reduce(1 - hits / (hits + wrong + eps), weights, counted, reduction, name)
