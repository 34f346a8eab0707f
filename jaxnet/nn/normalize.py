"""Division by a norm or a standard deviation over any axes, without parameters."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axis, check_positive
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn.distance import root, vector_norm
from jaxnet.nn.moments import check_features, mean, wide


def mean_variance_norm(
    x: jax.Array, axes: int | tuple[int, ...], *, eps: float = 1e-9
) -> jax.Array:
    """``(x - mean) / (std + eps)`` over the given axes: ``[...] -> [...]``.

    As ONNX's MeanVarianceNormalization; there the axes are by default all but the channels', so
    ``(0, 1, 2)`` for images. Raises ValueError for an axis that ``x`` does not have.

    >>> mean_variance_norm(jnp.array([[1.0, 5.0], [3.0, 5.0]]), 0)
    Array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32)
    """
    check_features(x, 1, "mean_variance_norm")
    check_positive(eps, "eps of mean_variance_norm")
    over = _axes(x, axes, "mean_variance_norm")
    y = wide(x, None, "mean_variance_norm")
    y = y - mean(y, over)
    # A large mean is rounded to its own precision; that of the remainder says by how much.
    y = y - mean(y, over)
    return (y / (root(mean(jnp.square(y), over)) + eps)).astype(x.dtype)


def normalize(
    x: jax.Array, p: float = 2, axis: int | tuple[int, ...] = -1, *, eps: float = 1e-12
) -> jax.Array:
    """``x / max(|x|_p, eps)`` with the p-norm over the given axes: ``[...] -> [...]``.

    ``p`` is at least 1, or ``math.inf`` for the largest magnitude. What is zero stays zero, with a
    finite gradient. Raises ValueError for another ``p`` or an axis that ``x`` does not have.

    >>> normalize(jnp.array([3.0, 4.0]))
    Array([0.6, 0.8], dtype=float32)
    """
    check_features(x, 1, "normalize")
    check_positive(eps, "eps of normalize")
    _check_order(p)
    over = _axes(x, axis, "normalize")
    y = wide(x, None, "normalize")
    return (y / jnp.maximum(vector_norm(y, p, axis=over, keepdims=True), eps)).astype(x.dtype)


class Normalize(Layer):
    """``normalize`` as a layer without parameters, for ``Sequential``.

    >>> Normalize(p=1)({}, jnp.array([1.0, -3.0]))
    Array([ 0.25, -0.75], dtype=float32)
    """

    _: KW_ONLY
    p: float = 2
    axis: int | tuple[int, ...] = -1
    eps: float = 1e-12

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_order(self.p)
        check_positive(self.eps, "eps of Normalize")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return normalize(x, self.p, self.axis, eps=self.eps)


def _check_order(p: float) -> None:
    if not isinstance(p, int | float) or not p >= 1:
        raise ValueError(
            f"p of normalize is the order of a norm, at least 1, but is {describe(p)}; "
            "give 2 for the Euclidean norm, or math.inf for the largest magnitude"
        )


def _axes(x: jax.Array, axes: int | tuple[int, ...], what: str) -> tuple[int, ...]:
    over = axes if isinstance(axes, tuple) else (axes,)
    for axis in over:
        check_axis(x, axis, what)
    return over
