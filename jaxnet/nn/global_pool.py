"""Pooling over all of the spatial axes."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_axes, check_real, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array
from jaxnet.core.layer import Layer
from jaxnet.nn.places import largest_of


def global_max_pool(x: jax.Array, axes: int = 2, *, keepdims: bool = False) -> jax.Array:
    """The largest value of each channel: ``[..., *spatial, C]`` to ``[..., C]``.

    The last ``axes`` axes before the channels are spatial; ``keepdims`` leaves each as 1.
    Integers are welcome. Of several largest values the first takes the gradient.
    Raises ValueError if ``x`` lacks these axes or anything on them.

    >>> global_max_pool(jnp.array([[1, 5], [4, 2], [3, 3]]), axes=1)
    Array([4, 5], dtype=int32)
    """
    spatial = pooled_axes(x, axes, "global_max_pool", integers=True)
    batch = x.shape[: x.ndim - axes - 1]
    elements = math.prod(x.shape[axis] for axis in spatial)
    flat = x.reshape(*batch, elements, x.shape[-1])
    y, _ = largest_of(flat, [np.arange(elements)[None]])
    return y.reshape(*batch, *((1,) * axes if keepdims else ()), x.shape[-1])


def global_avg_pool(
    x: jax.Array, axes: int = 2, *, mask: jax.Array | None = None, keepdims: bool = False
) -> jax.Array:
    """The mean of each channel: ``[..., *spatial, C]`` to ``[..., C]``.

    The last ``axes`` axes before the channels are spatial; ``keepdims`` leaves each as 1. Where a
    boolean ``mask [..., *spatial]`` is given, only what is True there counts, as in Keras; the mean
    of nothing is 0.
    Raises ValueError if ``x`` lacks these axes or anything on them, or if the mask does not fit.

    >>> global_avg_pool(jnp.array([[1.0, 5.0], [3.0, 1.0]]), axes=1)
    Array([2., 3.], dtype=float32)
    >>> global_avg_pool(jnp.array([[1.0, 5.0], [3.0, 1.0]]), axes=1, mask=jnp.array([True, False]))
    Array([1., 5.], dtype=float32)
    """
    spatial = pooled_axes(x, axes, "global_avg_pool")
    wide = x.astype(at_least_float32(x))
    if mask is None:
        return wide.mean(spatial, keepdims=keepdims).astype(x.dtype)
    _check_mask(mask, x)
    kept = jnp.broadcast_to(mask[..., None], x.shape)
    total = jnp.where(kept, wide, 0).sum(spatial, keepdims=keepdims)
    counts = kept.sum(spatial, keepdims=keepdims).astype(wide.dtype)
    return (total / jnp.maximum(counts, 1)).astype(x.dtype)


class GlobalMaxPool(Layer):
    """``global_max_pool`` as a layer without parameters, for ``Sequential``.

    >>> GlobalMaxPool()({}, jnp.ones((2, 7, 7, 8))).shape
    (2, 8)
    """

    axes: int = 2
    _: KW_ONLY
    keepdims: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.axes, "axes of GlobalMaxPool")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return global_max_pool(x, self.axes, keepdims=self.keepdims)


class GlobalAvgPool(Layer):
    """``global_avg_pool`` as a layer without parameters, for ``Sequential``.

    >>> GlobalAvgPool(keepdims=True)({}, jnp.ones((2, 7, 7, 8))).shape
    (2, 1, 1, 8)
    """

    axes: int = 2
    _: KW_ONLY
    keepdims: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.axes, "axes of GlobalAvgPool")

    def __call__(
        self,
        params: Any,
        x: jax.Array,
        *,
        mask: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        return global_avg_pool(x, self.axes, mask=mask, keepdims=self.keepdims)


def pooled_axes(x: Any, axes: Any, what: str, *, integers: bool = False) -> tuple[int, ...]:
    """The numbers of the spatial axes; raises unless ``x`` has them, with something on them."""
    check_size(axes, f"axes of {what}")
    check_real(x, f"the input of {what}", integers=integers)
    check_axes(x, axes + 1, f"the input of {what} over axes={axes}")
    if 0 in x.shape[-1 - axes : -1]:
        raise ValueError(
            f"{what} was given {describe(x)}, but of nothing on its {axes} spatial axes there is "
            "no value; leave out empty inputs"
        )
    return tuple(range(x.ndim - 1 - axes, x.ndim - 1))


def _check_mask(mask: Any, x: jax.Array) -> None:
    if not is_array(mask) or mask.dtype != bool or mask.shape != x.shape[:-1]:
        raise ValueError(
            f"the mask of global_avg_pool must be bool of the shape {x.shape[:-1]}, the input's "
            f"without channels, but is {describe(mask)}; compare to make one: lengths > position"
        )
