"""Losses that are content once a margin is kept: hinges and their kin."""

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes
from jaxnet.losses.classification import binary
from jaxnet.losses.labels import Weights, by_class, label_hits, labelled, signed
from jaxnet.losses.reduce import Reduction, reduce


def hinge(
    scores: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``max(0, 1 - y s)``, as in Keras: scores on the side of ``y``, by 1 or more.

    Scores and targets are ``[...]``, targets -1 or 1 (where 0 and 1: ``2 * y - 1``). Weights, mask
    and reduction are those of ``reduce``. Raises ValueError for unequal shapes, empty inputs and
    targets that can be seen to be neither -1 nor 1.

    >>> hinge(jnp.array([0.5, 3.0]), jnp.array([1, 1]))
    Array(0.25, dtype=float32)
    """
    s, y = signed(scores, targets, mask, "hinge")
    return reduce(positive_part(1 - y * s), weights, mask, reduction, "hinge")


def squared_hinge(
    scores: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``max(0, 1 - y s)^2``, as in Keras.

    Inputs, options and errors are those of ``hinge``.

    >>> squared_hinge(jnp.array([0.5, 3.0]), jnp.array([1, 1]))
    Array(0.125, dtype=float32)
    """
    s, y = signed(scores, targets, mask, "squared_hinge")
    each = jnp.square(positive_part(1 - y * s))
    return reduce(each, weights, mask, reduction, "squared_hinge")


def soft_margin(
    scores: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``log(1 + exp(-y s))``, as in PyTorch: ``sigmoid_cross_entropy`` of -1 and 1.

    Inputs, options and errors are those of ``hinge``.

    >>> soft_margin(jnp.array([0.0, 1e4]), jnp.array([1, 1])).round(4)
    Array(0.3466, dtype=float32)
    """
    s, y = signed(scores, targets, mask, "soft_margin")
    return reduce(jax.nn.softplus(-y * s), weights, mask, reduction, "soft_margin")


def hinge_embedding(
    distances: jax.Array,
    targets: jax.Array,
    *,
    margin: float = 1.0,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of the distance ``d`` where ``y = 1``, of ``max(0, margin - d)`` where ``y = -1``.

    So what is alike comes near, and the rest stays ``margin`` away, as in PyTorch. Inputs, options
    and errors are those of ``hinge``.

    >>> hinge_embedding(jnp.array([0.5, 0.2, 3.0]), jnp.array([1, -1, -1]))
    Array(0.43333334, dtype=float32)
    """
    d, y = signed(distances, targets, mask, "hinge_embedding")
    each = jnp.where(y > 0, d, positive_part(margin - d))
    return reduce(each, weights, mask, reduction, "hinge_embedding")


def categorical_hinge(
    scores: jax.Array,
    labels: jax.Array,
    *,
    ignore: int | None = None,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``max(0, 1 + s' - s)``: the label's score, and the best of the others or 0.

    As in Keras, for one-hot labels: ``s`` is ``sum(y s)`` and ``s'`` is ``max((1 - y) s)``. Scores
    are ``[..., C]``, labels class numbers ``[...]`` or distributions ``[..., C]``. The class number
    ``ignore`` does not count. Weights, mask and reduction are those of ``reduce``, with a loss for
    each example ``[...]``; errors are those of ``softmax_cross_entropy``.

    >>> categorical_hinge(jnp.array([[2.0, 1.5, 0.0]]), jnp.array([0]))
    Array(0.5, dtype=float32)
    """
    name = "categorical_hinge"
    s, labels, mask = labelled(scores, labels, mask, ignore, name)
    y = _rows(labels, s)
    each = positive_part(1 + ((1 - y) * s).max(-1) - (y * s).sum(-1))
    return reduce(each, weights, mask, reduction, name)


def multi_margin(
    scores: jax.Array,
    labels: jax.Array,
    *,
    p: int = 1,
    margin: float = 1.0,
    class_weights: Weights | None = None,
    ignore: int | None = None,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``1/C sum_c max(0, margin - s[label] + s_c)^p`` over the other classes ``c``.

    As in PyTorch, with ``p`` 1 or 2; ``class_weights [C]`` multiply the loss by the label's, and do
    not count in the mean's divisor. Scores are ``[..., C]``, labels class numbers ``[...]``, of
    which ``ignore`` does not count. Weights, mask and reduction are those of ``reduce``, with a
    loss for each example ``[...]``. Raises ValueError for another ``p``; other errors are those of
    ``softmax_cross_entropy``.

    >>> multi_margin(jnp.array([[2.0, 1.5, 0.0]]), jnp.array([0]))
    Array(0.16666667, dtype=float32)
    """
    name = "multi_margin"
    if p not in (1, 2):
        raise ValueError(f"p of {name} is the power of the margin's loss, 1 or 2, but is {p}")
    s, labels, mask = labelled(scores, labels, mask, ignore, name)
    y = _rows(labels, s)
    own = (y * s).sum(-1, keepdims=True)
    # The label's own class would cost the whole margin.
    each = (jax.nn.relu(margin - own + s) ** p * (1 - y)).mean(-1)
    if class_weights is not None:
        each = (y * by_class(class_weights, s, f"class_weights of {name}")).sum(-1) * each
    return reduce(each, weights, mask, reduction, name)


def multilabel_margin(
    scores: jax.Array,
    targets: jax.Array,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The mean of ``1/C sum max(0, 1 - s_i + s_j)`` over pairs of a true class i and a false j.

    Scores and targets are ``[..., C]``; targets are 1 where a class is true, else 0 (PyTorch lists
    the numbers of the true ones). Weights, mask and reduction are those of ``reduce``, with a loss
    for each example ``[...]``. Raises ValueError for unequal shapes, empty inputs and targets that
    can be seen to lie outside [0, 1].

    >>> multilabel_margin(jnp.array([[2.0, 1.5, 0.0]]), jnp.array([[1, 0, 1]]))
    Array(1., dtype=float32)
    """
    name = "multilabel_margin"
    s, y = binary(scores, targets, mask, name)
    check_axes(s, 1, f"the prediction of {name}")
    gaps = jax.nn.relu(1 - s[..., :, None] + s[..., None, :])  # [..., true, false]
    pairs = y[..., :, None] * (1 - y)[..., None, :]
    each = (pairs * gaps).sum((-2, -1)) / s.shape[-1]
    return reduce(each, weights, mask, reduction, name)


def multilabel_soft_margin(
    scores: jax.Array,
    targets: jax.Array,
    *,
    class_weights: Weights | None = None,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``sigmoid_cross_entropy`` with a loss for each example, its mean over classes.

    As in PyTorch. Scores and targets are ``[..., C]``, targets 1 where a class is true, else 0.
    ``class_weights [C]`` multiply each class's part. Other options and errors are
    those of ``multilabel_margin``.

    >>> multilabel_soft_margin(jnp.zeros((1, 3)), jnp.array([[1, 0, 1]])).round(4)
    Array(0.6931, dtype=float32)
    """
    name = "multilabel_soft_margin"
    s, y = binary(scores, targets, mask, name)
    check_axes(s, 1, f"the prediction of {name}")
    each = y * jax.nn.softplus(-s) + (1 - y) * jax.nn.softplus(s)
    if class_weights is not None:
        each = by_class(class_weights, s, f"class_weights of {name}") * each
    return reduce(each.mean(-1), weights, mask, reduction, name)


def positive_part(x: jax.Array) -> jax.Array:
    """``max(0, x)`` with the derivative 1 at 0, as in PyTorch's and Keras's hinges."""
    return jnp.where(x < 0, 0, x)


def _rows(labels: jax.Array, scores: jax.Array) -> jax.Array:
    """Labels as rows ``[..., C]``; NaN where there is no such class."""
    if labels.ndim == scores.ndim:
        return labels.astype(scores.dtype)
    hits, known = label_hits(labels, scores.shape[-1])
    return jnp.where(known[..., None], hits.astype(scores.dtype), jnp.nan)
