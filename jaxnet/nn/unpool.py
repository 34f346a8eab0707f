"""Max-unpooling: values go back to where max-pooling found them."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_integers, check_real
from jaxnet.core.errors import describe, seen
from jaxnet.core.layer import Layer
from jaxnet.nn.sliding import Padding, Sizes, pads_of, per_axis, spatial_of, window_size
from jaxnet.nn.window import Ints


def max_unpool(
    y: jax.Array,
    indices: jax.Array,
    window: Sizes,
    *,
    stride: Sizes | None = None,
    padding: Padding = "VALID",
    size: Sizes | None = None,
) -> jax.Array:
    """Puts ``y`` at ``indices`` and 0 elsewhere: ``[..., *places, C]`` to ``[..., *size, C]``.

    Of ``y, indices = max_pool_with_indices(x, window, …)`` it is a partial inverse. ``window``,
    ``stride`` and ``padding`` (no name but ``"VALID"``) are those of the pooling; they say what
    ``size`` is, ``(places - 1) * stride + window - padding`` on each axis. Several sizes pool to
    the same, so that another may be given, less than a stride away. Positions count along the flat
    axes of ``size``; where overlapping windows have found one element, it is there once, and each
    of its places takes the gradient, as in PyTorch.
    Raises ValueError if shapes and options do not fit each other, or an index is not within size.

    >>> max_unpool(jnp.array([[5.0], [3.0]]), jnp.array([[1], [3]]), (2,))[:, 0]
    Array([0., 5., 0., 3.], dtype=float32)
    """
    check_real(y, "the input of max_unpool", integers=True)
    check_integers(indices, "the indices of max_unpool")
    if indices.shape != y.shape:
        raise ValueError(
            f"the indices of max_unpool must have the shape of its input, {describe(y)}, but are "
            f"{describe(indices)}; give both results of max_pool_with_indices"
        )
    size = _unpooled(y, window, stride, padding, size)
    elements = math.prod(size)
    known = seen(indices)
    if known is not None and known.size and (known.min() < 0 or known.max() >= elements):
        raise ValueError(
            f"the indices of max_unpool lie between {known.min()} and {known.max()}, but the "
            f"size {size} has the positions 0 to {elements - 1}; give the size of the pooled input"
        )
    batch, channels = y.shape[: y.ndim - len(size) - 1], y.shape[-1]
    flat = (math.prod(batch), math.prod(y.shape[len(batch) : -1]), channels)
    each, channel = jnp.arange(flat[0])[:, None, None], jnp.arange(channels)[None, None, :]
    x = jnp.zeros((flat[0], elements, channels), y.dtype)
    # What stands at one position twice is one number, so nothing hangs on the order of writing.
    x = x.at[each, indices.reshape(flat), channel].set(
        y.reshape(flat), mode="drop", unique_indices=True
    )
    return x.reshape(*batch, *size, channels)


class MaxUnpool(Layer):
    """``max_unpool`` as a layer without parameters, called with values and indices.

    >>> MaxUnpool(2)({}, jnp.ones((1, 1, 1, 1)), jnp.full((1, 1, 1, 1), 2))[0, :, :, 0]
    Array([[0., 0.],
           [1., 0.]], dtype=float32)
    """

    window: Sizes
    _: KW_ONLY
    stride: Sizes | None = None
    padding: Padding = "VALID"
    size: Sizes | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        size = window_size(self.window, "window of MaxUnpool")
        axes = len(size)
        per_axis(size if self.stride is None else self.stride, axes, "stride of MaxUnpool")
        per_axis(size if self.size is None else self.size, axes, "size of MaxUnpool")
        pads_of(self.padding, size, size, size, "MaxUnpool", ("VALID",))

    def __call__(
        self, params: Any, y: jax.Array, indices: jax.Array, *, key: jax.Array | None = None
    ) -> jax.Array:
        return max_unpool(
            y, indices, self.window, stride=self.stride, padding=self.padding, size=self.size
        )


def _unpooled(y: jax.Array, window: Any, stride: Any, padding: Any, size: Any) -> Ints:
    """The size of the input that was pooled."""
    window = window_size(window, "window of max_unpool")
    axes = len(window)
    places = spatial_of(y, axes, "max_unpool")
    stride = per_axis(window if stride is None else stride, axes, "stride of max_unpool")
    pads = pads_of(padding, places, window, stride, "max_unpool", ("VALID",))
    plain = tuple(
        (m - 1) * s + k - sum(p) for m, s, k, p in zip(places, stride, window, pads, strict=True)
    )
    size = plain if size is None else per_axis(size, axes, "size of max_unpool")
    if any(n < 1 or abs(n - m) >= s for n, m, s in zip(size, plain, stride, strict=True)):
        raise ValueError(
            f"size of max_unpool is {size}, but {places} places of a window {window} with "
            f"stride={stride} and padding={padding!r} come from sizes less than a stride from "
            f"{plain}; give the window, stride and padding of the pooling, and its input's size"
        )
    return size
