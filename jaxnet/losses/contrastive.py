"""Losses of many pairs at once: each vector is to find its partner among all of a batch."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import (
    check_axes,
    check_float,
    check_integers,
    check_nonempty,
    check_positive,
    check_prediction,
)  # fmt: skip
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, seen
from jaxnet.losses.margin import positive_part
from jaxnet.losses.reduce import Reduction, entries, reduce, shown
from jaxnet.nn.normalize import normalize


def info_nce(
    queries: jax.Array,
    keys: jax.Array,
    *,
    temperature: jax.Array | float = 0.1,
    symmetric: bool = False,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The cross-entropy of finding each query's key, its row, among all keys (arXiv:1807.03748).

    Queries and keys are ``[..., N, D]``; logits are their cosines divided by ``temperature``. With
    ``symmetric`` keys look for their queries as well, and the loss is the mean of both, as in CLIP
    (arXiv:2103.00020). A pair that the mask ``[..., N]`` takes out is no wrong answer either.
    Weights and reduction are those of ``reduce``, with a loss for each pair ``[..., N]``.
    Raises ValueError for unequal shapes, empty inputs and a ``temperature`` that is not positive.

    >>> info_nce(jnp.eye(2), jnp.eye(2), temperature=1.0).round(4)
    Array(0.3133, dtype=float32)
    """
    q, k = _pairs(queries, keys, mask, "info_nce")
    logits = jnp.matmul(q, k.mT) / _number(temperature, q, "temperature of info_nce")
    own = _own(logits)
    each = _searched(logits, mask) - own
    if symmetric:
        each = (each + _searched(logits.mT, mask) - own) / 2
    return reduce(each, weights, mask, reduction, "info_nce")


def nt_xent(
    first: jax.Array,
    second: jax.Array,
    *,
    temperature: jax.Array | float = 0.5,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """The loss of SimCLR: each of two views finds the other among all views (arXiv:2002.05709).

    Views are ``[..., N, D]``, rows of one example at one place; all others of the ``2 N`` views are
    wrong answers. The loss of an example is the mean of both views'. Otherwise as ``info_nce``.

    >>> nt_xent(jnp.eye(2), jnp.eye(2), temperature=1.0).round(4)
    Array(0.5514, dtype=float32)
    """
    a, b = _pairs(first, second, mask, "nt_xent")
    temperature = _number(temperature, a, "temperature of nt_xent")
    each = jnp.zeros_like(a[..., 0])
    for x, y in ((a, b), (b, a)):
        alike = jnp.matmul(x, x.mT) / temperature
        across = jnp.matmul(x, y.mT) / temperature
        others = jnp.logaddexp(_logsumexp(alike, ~_itself(alike), mask), _searched(across, mask))
        each = each + (others - _own(across)) / 2
    return reduce(each, weights, mask, reduction, "nt_xent")


def siglip(
    first: jax.Array,
    second: jax.Array,
    scale: jax.Array | float = 10.0,
    bias: jax.Array | float = -10.0,
    *,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """A sigmoid for each pair of the batch, is it one or not (arXiv:2303.15343).

    For vectors ``[..., N, D]`` and ``z = scale cos + bias`` the loss of the first ones is the sum
    over the second of ``-log sigmoid(z)`` for their own and of ``-log sigmoid(-z)`` for the others.
    Scale and bias are numbers, learnt in the paper. Otherwise as ``info_nce``.

    >>> siglip(jnp.eye(2), jnp.eye(2)).round(4)
    Array(0.6932, dtype=float32)
    """
    name = "siglip"
    a, b = _pairs(first, second, mask, name)
    z = _number(scale, a, f"scale of {name}") * jnp.matmul(a, b.mT)
    z = z + _number(bias, a, f"bias of {name}")
    each = jax.nn.softplus(jnp.where(_itself(z), -z, z))
    return reduce(_of_shown(each, mask, 0).sum(-1), weights, mask, reduction, name)


def circle(
    embeddings: jax.Array,
    labels: jax.Array,
    *,
    gamma: float = 80.0,
    margin: float = 0.4,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """Circle loss: pairs of one label nearer than others, the worst pulled most, as in Keras.

    Embeddings ``[..., N, D]`` have length 1, labels ``[..., N]`` are integers. For cosines ``s`` an
    example's loss is ``softplus(P + Q)``: ``P`` the logsumexp over its own label of
    ``-gamma (1 + m - s) (s - 1 + m)``, ``Q`` that over others of ``gamma (s + m) (s - m)``; it is 0
    without one or the other (arXiv:2002.10857). The mean is that of the losses above 0.
    Weights, mask and reduction are those of ``reduce``, with a loss for each example ``[..., N]``.
    Raises ValueError for other shapes, empty inputs and a ``gamma`` that is not positive.

    >>> circle(jnp.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), jnp.array([0, 0, 1])).round(4)
    Array(0., dtype=float32)
    """
    name = "circle"
    check_positive(gamma, f"gamma of {name}")
    check_prediction(embeddings, f"the prediction of {name}")
    check_axes(embeddings, 2, f"the prediction of {name}")
    check_nonempty(embeddings, name)
    check_integers(labels, f"labels of {name}")
    if labels.shape != embeddings.shape[:-1]:
        raise ValueError(
            f"labels of {name} must have the shape {embeddings.shape[:-1]}, one an embedding, but "
            f"are {describe(labels)}"
        )
    x = shown(jnp.asarray(embeddings).astype(at_least_float32(embeddings)), mask, name)
    labels = jnp.asarray(labels)
    far = positive_part(1 - jnp.matmul(x, x.mT))
    same = labels[..., :, None] == labels[..., None, :]
    alike = _logsumexp(gamma * (margin + far) * (far - margin), same & ~_itself(far), mask)
    away = positive_part(1 + margin - far)
    unlike = _logsumexp(gamma * away * (1 - margin - far), ~same, mask)
    each = jax.nn.softplus(alike + unlike)
    return reduce(each, weights, mask, reduction, name, share=(each > 0).astype(each.dtype))


def _pairs(a: Any, b: Any, mask: Any, name: str) -> tuple[jax.Array, jax.Array]:
    """Both with rows of length 1, in the dtype to compute in."""
    check_float(b, f"the second vectors of {name}")
    a, b = entries(a, b, mask, name)
    check_axes(a, 2, f"the first vectors of {name}")
    return normalize(a), normalize(b)


def _number(value: jax.Array | float, beside: jax.Array, what: str) -> jax.Array:
    """A number, which may be learnt, as an array."""
    number = jnp.asarray(value, beside.dtype)
    if number.shape:
        raise ValueError(f"{what} must be one number, but is {describe(number)}")
    known = seen(number)
    if "temperature" in what and known is not None and not known > 0:
        raise ValueError(f"{what} must be above 0, but is {known}")
    return number


def _itself(logits: jax.Array) -> jax.Array:
    """Whether row and column of ``[..., N, N]`` are one."""
    return jnp.broadcast_to(jnp.eye(logits.shape[-1], dtype=bool), logits.shape)


def _own(logits: jax.Array) -> jax.Array:
    # A sum rather than a gather, whose gradient would be a slow scatter.
    return jnp.where(_itself(logits), logits, 0).sum(-1)


def _of_shown(x: jax.Array, mask: Any, fill: float) -> jax.Array:
    """``x [..., N, M]`` with ``fill`` where ``mask [..., M]`` is False."""
    return x if mask is None else shown(x.mT, mask, "the loss", fill).mT


def _searched(logits: jax.Array, mask: Any) -> jax.Array:
    return jax.nn.logsumexp(_of_shown(logits, mask, _least(logits)), -1)


def _logsumexp(x: jax.Array, where: jax.Array, mask: Any) -> jax.Array:
    """Over the last axis, where there is something to count; of nothing it is as good as -inf."""
    return _searched(jnp.where(where, x, _least(x)), mask)


def _least(x: jax.Array) -> float:
    """So low that its exp is 0, while two of them can still be added."""
    return float(jnp.finfo(x.dtype).min) / 4
