"""Class labels: class numbers ``[...]``, or distributions ``[..., C]`` such as one-hot rows."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.errors import check_axes, check_size, describe, is_array, seen
from jaxnet.losses.checks import check_nonempty, check_prediction


def one_hot(labels: jax.Array | np.ndarray, classes: int) -> jax.Array:
    """Class numbers ``[...]`` as float32 rows ``[..., classes]``: 1 at the label, else 0.

    Raises ValueError for labels that are not integers and, where they can be seen, labels outside
    0 to classes - 1; under ``jit`` the row of such a label is NaN.

    >>> one_hot(jnp.array([0, 2]), 3)
    Array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    check_size(classes, "classes of one_hot")
    if not is_array(labels):
        raise ValueError(
            f"labels must be an array, but are {describe(labels)}; wrap them: jnp.asarray(labels)"
        )
    check_numbers(labels, classes, "one_hot")
    hits, known = _hits(jnp.asarray(labels), classes)
    return jnp.where(jnp.expand_dims(known, -1), hits.astype(jnp.float32), jnp.nan)


def likelihood(log_p: jax.Array, labels: jax.Array) -> jax.Array:
    """The labels' mean log-probability ``[...]`` for log-probabilities ``[..., C]``."""
    if labels.ndim == log_p.ndim:
        shares = labels.astype(log_p.dtype)
        # What has no share costs nothing, even where it is impossible: 0 * -inf is NaN.
        finite = jnp.where((shares == 0) & jnp.isneginf(log_p), 0, log_p)
        return (shares * finite).sum(-1)
    # A sum over the class axis rather than a gather, whose gradient would be a slow scatter.
    hits, known = _hits(labels, log_p.shape[-1])
    return jnp.where(known, jnp.where(hits, log_p, 0).sum(-1), jnp.nan)


def check_labelled(scores: Any, labels: Any, loss: str) -> tuple[jax.Array, jax.Array]:
    """Scores ``[..., C]`` and their labels as arrays; raises unless they fit each other."""
    check_prediction(scores, f"the prediction of {loss}")
    check_axes(scores, 1, f"the prediction of {loss}")
    if not is_array(labels) or labels.shape not in (scores.shape, scores.shape[:-1]):
        raise ValueError(
            f"{loss} was given predictions {describe(scores)} and labels {describe(labels)}, but "
            f"needs class numbers of shape {scores.shape[:-1]} or distributions of shape "
            f"{scores.shape}; {_label_fix(scores, labels)}"
        )
    check_nonempty(scores, loss)
    scores, labels = jnp.asarray(scores), jnp.asarray(labels)
    if labels.ndim < scores.ndim:
        check_numbers(labels, scores.shape[-1], loss)
    elif (known := seen(labels)) is not None:
        sums = known.astype(np.float32).sum(-1)
        worst = sums.ravel()[np.abs(sums - 1).argmax()]
        if abs(worst - 1) > 0.01:
            raise ValueError(
                f"{loss} was given labels {describe(labels)} as distributions over the classes, "
                f"but a row sums to {worst}, not 1; "
                "where several classes can be true at once use sigmoid_cross_entropy"
            )
    return scores, labels


def check_numbers(labels: Any, classes: int, what: str) -> None:
    """Raise unless labels are integers and, where they can be seen, from 0 to classes - 1."""
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"the class numbers of {what} must be integers, but are {describe(labels)}; convert "
            "them: labels.astype(jnp.int32), or give distributions: one_hot(labels, classes)"
        )
    known = seen(labels)
    if known is None or not known.size:
        return
    least, most = known.min(), known.max()
    if least < 0 or most >= classes:
        raise ValueError(
            f"the labels of {what} lie between {least} and {most}, but "
            f"{classes} classes have the numbers 0 to {classes - 1}; "
            "subtract 1 if they count from 1, and leave out examples without a class"
        )


def _label_fix(scores: Any, labels: Any) -> str:
    if not is_array(labels):
        return "wrap the labels: jnp.asarray(labels)"
    if labels.shape == (*scores.shape[:-1], 1):
        return "drop the last axis of the labels: labels.squeeze(-1)"
    return "each row of the predictions needs one label"


def _hits(labels: jax.Array, classes: int) -> tuple[jax.Array, jax.Array]:
    """Which class is the label ``[..., C]``, and whether there is such a class ``[...]``."""
    if labels.dtype.itemsize < 4:
        labels = labels.astype(jnp.int32)  # 300 classes do not fit into a byte
    known = (labels >= 0) & (labels < classes)
    numbers = jax.lax.broadcasted_iota(labels.dtype, (*labels.shape, classes), labels.ndim)
    return numbers == jnp.expand_dims(labels, -1), known
