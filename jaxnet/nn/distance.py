"""How far vectors lie apart, and how alike their directions are; the gradient at 0 is 0."""

import math

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_axis, check_float
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.nn.straight_through import straight_through


def cosine_similarity(
    x: jax.Array, y: jax.Array, *, axis: int = -1, eps: float = 1e-8
) -> jax.Array:
    """``x . y / (|x| |y|)`` along an axis, each norm at least ``eps``: ``[..., D] -> [...]``.

    Axes of size 1 count for all of the other's. Raises ValueError if other sizes differ.

    >>> cosine_similarity(jnp.array([1.0, 0.0]), jnp.array([1.0, 1.0])).round(3)
    Array(0.707, dtype=float32)
    """
    x, y = _pair(x, y, "cosine_similarity")
    check_axis(x, axis, "cosine_similarity")
    along, beside = (_direction(z, axis, eps) for z in (x, y))
    return (along * beside).sum(axis).astype(x.dtype)


def pairwise_distance(
    x: jax.Array, y: jax.Array, *, p: float = 2.0, eps: float = 1e-6, keepdims: bool = False
) -> jax.Array:
    """The ``p``-norm of ``x - y + eps`` along the last axis: ``[..., D] -> [...]``.

    Axes of size 1 count for all of the other's. Raises ValueError if other sizes differ, and if
    ``p`` is negative.

    >>> pairwise_distance(jnp.array([0.0, 0.0]), jnp.array([3.0, 4.0])).round(3)
    Array(5., dtype=float32)
    """
    x, y = _pair(x, y, "pairwise_distance")
    return _norm(x, y, p, "pairwise_distance", eps=eps, keepdims=keepdims)


def cdist(x: jax.Array, y: jax.Array, *, p: float = 2.0) -> jax.Array:
    """The ``p``-norm of each ``x_i - y_j``: ``[..., N, D], [..., M, D] -> [..., N, M]``.

    Exact also for near points, since it subtracts before it squares. Raises ValueError if batch
    axes or features differ, and if ``p`` is negative.

    >>> cdist(jnp.zeros((1, 2)), jnp.array([[3.0, 4.0], [0.0, 0.0]]))
    Array([[5., 0.]], dtype=float32)
    """
    for array, name in ((x, "x"), (y, "y")):
        check_float(array, f"{name} of cdist")
        check_axes(array, 2, f"{name} of cdist")
    x, y = _pair(x[..., :, None, :], y[..., None, :, :], "cdist")
    return _norm(x, y, p, "cdist")


def pdist(x: jax.Array, *, p: float = 2.0) -> jax.Array:
    """The ``p``-norm of each ``x_i - x_j`` with ``i < j``: ``[..., N, D] -> [..., N (N - 1) / 2]``.

    In the order of the upper triangle's rows. Raises ValueError if ``p`` is negative.

    >>> pdist(jnp.array([[0.0], [1.0], [3.0]]))
    Array([1., 3., 2.], dtype=float32)
    """
    check_float(x, "the input of pdist")
    check_axes(x, 2, "the input of pdist")
    first, second = jnp.triu_indices(x.shape[-2], 1)
    return _norm(x[..., first, :], x[..., second, :], p, "pdist")


def vector_norm(
    x: jax.Array, p: float = 2.0, *, axis: int | tuple[int, ...] = -1, keepdims: bool = False
) -> jax.Array:
    """``(sum |x|^p)^(1/p)`` along axes; for ``p`` of 0 how many are not 0, for inf the largest.

    Its gradient at 0 is 0. It is computed in the dtype of ``x``: give float32 rather than less.
    Raises ValueError if ``p`` is negative.

    >>> vector_norm(jnp.array([3.0, 4.0]))
    Array(5., dtype=float32)
    """
    check_float(x, "the input of vector_norm")
    _check_order(p, "vector_norm")
    if p == 0:
        return (x != 0).sum(axis, dtype=x.dtype, keepdims=keepdims)
    if p in (1, math.inf):
        # The slope of jnp.abs at 0 is 1.
        size = x * jnp.sign(x)
        return size.sum(axis, keepdims=keepdims) if p == 1 else size.max(axis, keepdims=keepdims)
    if p == 2:
        return root(jnp.square(x).sum(axis, keepdims=keepdims))
    zero = x == 0
    powers = jnp.where(zero, 0, jnp.abs(jnp.where(zero, 1, x)) ** p)
    return root(powers.sum(axis, keepdims=keepdims), p)


def _direction(x: jax.Array, axis: int, eps: float) -> jax.Array:
    x = x.astype(at_least_float32(x))
    length = vector_norm(x, axis=axis, keepdims=True)
    # As in PyTorch the bound has no part in the gradient.
    return x / straight_through(jnp.maximum(length, eps), length)


def root(x: jax.Array, p: float = 2.0) -> jax.Array:
    """The ``p``-th root, whose slope at 0 is 0."""
    positive = x > 0
    safe = jnp.where(positive, x, 1)
    return jnp.where(positive, jnp.sqrt(safe) if p == 2 else safe ** (1 / p), 0)


def _norm(
    x: jax.Array, y: jax.Array, p: float, what: str, *, eps: float = 0.0, keepdims: bool = False
) -> jax.Array:
    _check_order(p, what)
    dtype = at_least_float32(x, y)
    difference = x.astype(dtype) - y.astype(dtype) + eps
    return vector_norm(difference, p, keepdims=keepdims).astype(x.dtype)


def _check_order(p: float, what: str) -> None:
    if not p >= 0:
        raise ValueError(f"p of {what} must be at least 0, but is {p}; the Euclidean norm has 2")


def _pair(x: jax.Array, y: jax.Array, what: str) -> tuple[jax.Array, jax.Array]:
    """Both with all axes; raises unless each axis has one size, or 1."""
    for array, name in ((x, "x"), (y, "y")):
        check_float(array, f"{name} of {what}")
        check_axes(array, 1, f"{name} of {what}")
    fits = x.ndim == y.ndim and all(
        n == m or 1 in (n, m) for n, m in zip(x.shape, y.shape, strict=True)
    )
    if not fits or x.shape[-1] != y.shape[-1] or x.dtype != y.dtype:
        raise ValueError(
            f"x and y of {what} must have one dtype, as many axes, and each axis one size (or, "
            f"before the last, 1), but are {describe(x)} and {describe(y)}"
        )
    shape = jnp.broadcast_shapes(x.shape, y.shape)
    return jnp.broadcast_to(x, shape), jnp.broadcast_to(y, shape)
