"""Pooling to a size that is given: the windows follow from the sizes of input and output.

On each axis place i of m holds the elements from ``floor(i * n / m)`` up to
``ceil((i + 1) * n / m)`` of n, as in PyTorch: windows may overlap by one, and with more places
than elements several hold the same.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_real
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn.places import largest_of
from jaxnet.nn.sliding import spatial_of, window_size
from jaxnet.nn.window import Ints

# Slices are many times faster than a matrix product, but many of them compile slowly.
_FEW = 8

type AdaptiveSize = int | tuple[int | None, ...]


def adaptive_avg_pool(x: jax.Array, size: AdaptiveSize) -> jax.Array:
    """Means that make the spatial axes of this size: ``[..., *spatial, C]`` to ``[..., *size, C]``.

    ``size`` as an int means two spatial axes; a tuple says by its length how many there are, 1 to
    3, and a None in it leaves its axis alone.
    Raises ValueError if ``x`` lacks these axes or anything on them.

    >>> adaptive_avg_pool(jnp.arange(5.0)[:, None], (3,))[:, 0]
    Array([0.5, 2. , 3.5], dtype=float32)
    """
    check_real(x, "the input of adaptive_avg_pool")
    sizes = _sizes(x, size, "adaptive_avg_pool")
    y = x.astype(at_least_float32(x))
    # A window's mean is the mean along one axis of the means along the others.
    for axis, m in enumerate(sizes, x.ndim - 1 - len(sizes)):
        y = _means(y, axis, m)
    return y.astype(x.dtype)


def adaptive_max_pool(x: jax.Array, size: AdaptiveSize) -> jax.Array:
    """The largest values of windows as in ``adaptive_avg_pool``; integers are welcome.

    Where several values are the largest, the first takes the gradient.
    Raises ValueError if ``x`` lacks these axes or anything on them.

    >>> adaptive_max_pool(jnp.array([4, 1, 2, 0, 3])[:, None], (3,))[:, 0]
    Array([4, 2, 3], dtype=int32)
    """
    return _adaptive_max(x, size, "adaptive_max_pool")[0]


def adaptive_max_pool_with_indices(x: jax.Array, size: AdaptiveSize) -> tuple[jax.Array, jax.Array]:
    """``adaptive_max_pool``, and where each value lies, as in ``max_pool_with_indices``.

    Raises ValueError if ``x`` lacks these axes or anything on them.

    >>> adaptive_max_pool_with_indices(jnp.array([4, 1, 2, 0, 3])[:, None], (3,))[1][:, 0]
    Array([0, 2, 4], dtype=int32)
    """
    return _adaptive_max(x, size, "adaptive_max_pool_with_indices")


class AdaptiveAvgPool(Layer):
    """``adaptive_avg_pool`` as a layer without parameters, for ``Sequential``.

    >>> AdaptiveAvgPool((None, 1))({}, jnp.ones((2, 9, 9, 8))).shape
    (2, 9, 1, 8)
    """

    size: AdaptiveSize

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_size(self.size, "AdaptiveAvgPool")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return adaptive_avg_pool(x, self.size)


class AdaptiveMaxPool(Layer):
    """``adaptive_max_pool`` as a layer without parameters, for ``Sequential``.

    >>> AdaptiveMaxPool(4)({}, jnp.ones((2, 9, 9, 8))).shape
    (2, 4, 4, 8)
    """

    size: AdaptiveSize

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_size(self.size, "AdaptiveMaxPool")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return adaptive_max_pool(x, self.size)


def _means(x: jax.Array, axis: int, m: int) -> jax.Array:
    """The means of m windows on one axis."""
    before, behind = x.shape[:axis], x.shape[axis + 1 :]
    # The windows repeat themselves as often as the greatest common divisor says.
    repeats = math.gcd(x.shape[axis], m)
    n = x.shape[axis] // repeats
    start, end = _windows(n, m // repeats)
    x = x.reshape(*before, repeats, n, *behind)
    if len(start) <= _FEW:
        parts = [
            jax.lax.slice_in_dim(x, *ends, axis=axis + 1) for ends in zip(start, end, strict=True)
        ]
        x = jnp.stack([part.mean(axis + 1) for part in parts], axis + 1)
    else:
        at = np.arange(n)
        weights = ((start[:, None] <= at) & (at < end[:, None])) / (end - start)[:, None]
        weights = jnp.asarray(weights, x.dtype)
        x = jnp.tensordot(weights, x, (1, axis + 1), precision=jax.lax.Precision.HIGHEST)
        x = jnp.moveaxis(x, 0, axis + 1)
    return x.reshape(*before, m, *behind)


def _adaptive_max(x: jax.Array, size: Any, what: str) -> tuple[jax.Array, jax.Array]:
    check_real(x, f"the input of {what}", integers=True)
    sizes = _sizes(x, size, what)
    windows = []
    for n, m in zip(x.shape[-1 - len(sizes) : -1], sizes, strict=True):
        start, end = _windows(n, m)
        # A shorter window has its last element more than once, which changes no maximum.
        longest = np.arange((end - start).max())
        windows.append(np.minimum(start[:, None] + longest, end[:, None] - 1))
    return largest_of(x, windows)


def _windows(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the windows of m places begin and end on an axis of n."""
    i = np.arange(m)
    return i * n // m, -(-(i + 1) * n // m)


def _check_size(size: Any, what: str) -> Any:
    named = tuple(1 if m is None else m for m in size) if isinstance(size, tuple) else size
    window_size(named, f"size of {what}")
    return size if isinstance(size, tuple) else (size, size)


def _sizes(x: jax.Array, size: Any, what: str) -> Ints:
    size = _check_size(size, what)
    spatial = spatial_of(x, len(size), what)
    if 0 in spatial:
        raise ValueError(
            f"{what} was given {describe(x)}, which has nothing on a spatial axis to pool; "
            "leave out empty inputs"
        )
    return tuple(n if m is None else m for n, m in zip(spatial, size, strict=True))
