"""Class labels: class numbers ``[...]``, or distributions ``[..., C]`` such as one-hot rows."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_numbers, check_size
from jaxnet.core.errors import describe, is_array


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


def _hits(labels: jax.Array, classes: int) -> tuple[jax.Array, jax.Array]:
    """Which class is the label ``[..., C]``, and whether there is such a class ``[...]``."""
    if labels.dtype.itemsize < 4:
        labels = labels.astype(jnp.int32)  # 300 classes do not fit into a byte
    known = (labels >= 0) & (labels < classes)
    numbers = jax.lax.broadcasted_iota(labels.dtype, (*labels.shape, classes), labels.ndim)
    return numbers == jnp.expand_dims(labels, -1), known
