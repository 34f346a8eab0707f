"""Mixing examples of a batch with each other, and their labels with them, in training calls."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import split
from jaxnet.core.checks import check_key, check_positive, check_real
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array
from jaxnet.nn.image import check_images, in_box


def mixup(
    x: jax.Array, labels: jax.Array, key: jax.Array | None, *, alpha: float = 1.0
) -> tuple[jax.Array, jax.Array]:
    """``w x_i + (1 - w) x_j``, and labels alike: ``[N, ...], [N, classes]`` to the same.

    Each example i has a weight w of its own, from Beta(alpha, alpha), and a partner j, by a random
    order of the batch (arXiv:1710.09412). Without a key, at inference, nothing changes.
    Raises ValueError if shapes do not fit each other, or labels are numbers of classes.

    >>> x, labels = mixup(jnp.ones((2, 3)), jnp.eye(2), jax.random.key(0))
    >>> x, labels.sum(-1)
    (Array([[1., 1., 1.],
           [1., 1., 1.]], dtype=float32), Array([1., 1.], dtype=float32))
    """
    check_real(x, "the input of mixup")
    _check(x, labels, alpha, "mixup")
    if key is None:
        return x, labels
    check_key(key)
    orders, weights = split(key, 2)
    order = jax.random.permutation(orders, x.shape[0])
    wide = at_least_float32(x)
    weight = jax.random.beta(weights, alpha, alpha, x.shape[:1], wide)
    return _mixed(x, order, weight), _mixed(labels, order, weight)


def cutmix(
    x: jax.Array, labels: jax.Array, key: jax.Array | None, *, alpha: float = 1.0
) -> tuple[jax.Array, jax.Array]:
    """Pastes a box of another image: ``[N, H, W, C], [N, classes]`` to the same.

    Labels are mixed by the area of the box: its share is drawn from Beta(alpha, alpha), its centre
    anywhere, and what reaches beyond the image is cut off (arXiv:1905.04899). Partners, keys and
    errors are as in ``mixup``.

    >>> x, labels = cutmix(jnp.ones((2, 4, 4, 3)), jnp.eye(2), jax.random.key(0))
    >>> x.shape, labels.sum(-1)
    ((2, 4, 4, 3), Array([1., 1.], dtype=float32))
    """
    check_images(x, "cutmix")
    _check(x, labels, alpha, "cutmix")
    if x.ndim != 4:
        raise ValueError(f"the input of cutmix must be [N, H, W, C], but is {describe(x)}")
    if key is None:
        return x, labels
    check_key(key)
    orders, shares, *centres = split(key, 4)
    order = jax.random.permutation(orders, x.shape[0])
    wide = at_least_float32(x)
    side = jnp.sqrt(1 - jax.random.beta(shares, alpha, alpha, x.shape[:1], wide))
    low, length = [], []
    for own, n in zip(centres, x.shape[1:3], strict=True):
        centre = jax.random.randint(own, x.shape[:1], 0, n).astype(wide)
        half = jnp.floor(side * (n / 2))
        low.append(centre - half)
        length.append(2 * half)
    inside = in_box(jnp.stack([*low, *length], -1), x)
    weight = 1 - inside.sum((1, 2)).astype(wide) / math.prod(x.shape[1:3])
    y = jnp.where(jnp.broadcast_to(inside[..., None], x.shape), x[order], x)
    return y, _mixed(labels, order, weight)


def _mixed(x: jax.Array, order: jax.Array, weight: jax.Array) -> jax.Array:
    wide = at_least_float32(x, weight)
    weight = weight.astype(wide).reshape(-1, *(1,) * (x.ndim - 1))
    weight = jnp.broadcast_to(weight, x.shape)
    other = x[order].astype(wide)
    return (weight * x.astype(wide) + (1 - weight) * other).astype(x.dtype)


def _check(x: jax.Array, labels: Any, alpha: Any, what: str) -> None:
    check_positive(alpha, f"alpha of {what}")
    if (
        not is_array(labels)
        or not jnp.issubdtype(labels.dtype, jnp.floating)
        or labels.ndim != 2
        or labels.shape[0] != x.shape[0]
    ):
        raise ValueError(
            f"labels of {what} must be floating point [{x.shape[0]}, classes], a distribution for "
            f"each example, but are {describe(labels)}; make them with losses.one_hot"
        )
