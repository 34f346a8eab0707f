"""Class labels: class numbers ``[...]``, or distributions ``[..., C]`` such as one-hot rows."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_integers, check_labelled, check_numbers, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array, seen
from jaxnet.losses.reduce import entries, shown

type Weights = jax.Array | np.ndarray | tuple[float, ...]


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
    return _rows(labels, classes)


# Compiled as a whole: operation by operation takes a fifth of a second at first.
@functools.partial(jax.jit, static_argnums=1)
def _rows(labels: jax.Array | np.ndarray, classes: int) -> jax.Array:
    hits, known = label_hits(jnp.asarray(labels), classes)
    return jnp.where(jnp.expand_dims(known, -1), hits.astype(jnp.float32), jnp.nan)


def labelled(
    scores: Any, labels: Any, mask: Any, ignore: int | None, name: str
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    """Scores ``[..., C]`` in the dtype to compute in, their labels, and the mask of what counts.

    What does not count, the class number ``ignore`` among it, becomes an example like any other.
    """
    rows = np.ndim(labels) == np.ndim(scores) > 0
    fill = np.eye(1, np.shape(labels)[-1])[0] if rows else 0
    labels, mask = counted(labels, mask, ignore, name, fill)
    scores, labels = check_labelled(shown(scores, mask, name), labels, name)
    return scores.astype(at_least_float32(scores)), labels, mask


def counted(
    labels: Any, mask: Any, ignore: int | None, name: str, fill: Any = 0
) -> tuple[Any, jax.Array | None]:
    """Labels with ``fill`` where they do not count, and the mask of those that do."""
    if ignore is not None:
        check_integers(labels, f"with ignore={ignore} the labels of {name}")
        kept = jnp.asarray(labels) != ignore
        mask = kept if mask is None else shown(kept, mask, name, 0)
    return shown(labels, mask, name, fill), mask


def log_likelihood(
    log_p: jax.Array,
    labels: jax.Array,
    name: str,
    smoothing: float = 0.0,
    class_weights: Weights | None = None,
) -> tuple[jax.Array, jax.Array | None]:
    """The labels' log-probabilities ``[...]``, weighed, and what each counts in a mean."""
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing is a share, at least 0 and below 1, but is {smoothing}")
    share = None
    if class_weights is None:
        each = likelihood(log_p, labels)
    else:
        factors = by_class(class_weights, log_p, f"class_weights of {name}")
        if labels.ndim == log_p.ndim:
            each = likelihood(log_p, labels.astype(log_p.dtype) * factors)
        else:
            share = likelihood(factors, labels)
            each = share * likelihood(log_p, labels)
        log_p = factors * log_p
    if smoothing:
        each = (1 - smoothing) * each + smoothing * log_p.mean(-1)
    return each, share


def by_class(values: Weights, scores: jax.Array, what: str) -> jax.Array:
    """One value a class, spread over scores ``[..., C]``."""
    array = jnp.asarray(values, scores.dtype)
    if array.shape != scores.shape[-1:]:
        raise ValueError(
            f"{what} must have one value for each of the {scores.shape[-1]} classes, but is "
            f"{describe(array)}; to weigh examples use weights"
        )
    return jnp.broadcast_to(array, scores.shape)


def likelihood(log_p: jax.Array, labels: jax.Array) -> jax.Array:
    """The labels' mean log-probability ``[...]`` for log-probabilities ``[..., C]``."""
    if labels.ndim == log_p.ndim:
        shares = labels.astype(log_p.dtype)
        # What has no share costs nothing, even where it is impossible: 0 * -inf is NaN.
        finite = jnp.where((shares == 0) & jnp.isneginf(log_p), 0, log_p)
        return (shares * finite).sum(-1)
    # A sum over the class axis rather than a gather, whose gradient would be a slow scatter.
    hits, known = label_hits(labels, log_p.shape[-1])
    return jnp.where(known, jnp.where(hits, log_p, 0).sum(-1), jnp.nan)


def label_hits(labels: jax.Array, classes: int) -> tuple[jax.Array, jax.Array]:
    """Which class is the label ``[..., C]``, and whether there is such a class ``[...]``."""
    if labels.dtype.itemsize < 4:
        labels = labels.astype(jnp.int32)  # 300 classes do not fit into a byte
    known = (labels >= 0) & (labels < classes)
    numbers = jax.lax.broadcasted_iota(labels.dtype, (*labels.shape, classes), labels.ndim)
    return numbers == jnp.expand_dims(labels, -1), known


def signed(scores: Any, targets: Any, mask: Any, name: str) -> tuple[jax.Array, jax.Array]:
    """Scores and targets of -1 and 1, both in the dtype to compute in."""
    scores, targets = entries(scores, targets, mask, name)
    check_signs(targets, name)
    return scores, targets


def check_signs(targets: jax.Array, name: str) -> None:
    """Raise if targets that can be seen are neither -1 nor 1."""
    known = seen(targets)
    if known is not None and (np.abs(known) != 1).any():
        wrong = known[np.abs(known) != 1].flat[0]
        raise ValueError(
            f"the target of {name} must be -1 or 1, but {wrong} is among them; "
            "0 and 1 become -1 and 1 by 2 * y - 1"
        )


def check_log(log_p: jax.Array, name: str) -> None:
    """Raise if log-probabilities that can be seen are above 0 by more than a rounding error."""
    known = seen(log_p)
    if known is not None and known.size and known.max() > 1e-2:
        raise ValueError(
            f"the prediction of {name} must be log-probabilities, at most 0, but the largest is "
            f"{known.max()}; make them of logits: jax.nn.log_softmax(logits)"
        )
