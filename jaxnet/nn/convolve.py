"""Convolution of arrays, rewritten on CPU into the forms that XLA runs fast.

On CPU XLA has one fast kernel, for dense two-dimensional convolutions in canonical order
``[N, H, W, I] * [h, w, I, O]``. What does not fit it takes 5 to 1000 times longer, and so do the
gradients of a convolution in the body of a loop, which JAX writes in another order. Here every case
becomes plain operations around one dense convolution whose gradients are canonical, too.
Other devices get XLA's own convolution.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnet.nn.window import Window, at_least_float32, tangent

_ORDERS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}

type _Convolution = Callable[[jax.Array, jax.Array, Window], jax.Array]


def convolve(x: jax.Array, kernel: jax.Array, window: Window, groups: int = 1) -> jax.Array:
    """``[N, *spatial, I] * [*window, I / groups, O] -> [N, *places, O]``, for 1 to 3 spatial axes."""
    if jax.default_backend() == "cpu":
        # The kernel knows no 16-bit floats, and sums belong in float32 anyway.
        wide = at_least_float32(x.dtype)
        return _by_rules(x.astype(wide), kernel.astype(wide), window, groups).astype(x.dtype)
    return lax.conv_general_dilated(
        x, kernel, window.stride, window.padding, rhs_dilation=window.dilation,
        dimension_numbers=_ORDERS[len(window.size)], feature_group_count=groups,
    )  # fmt: skip


def _by_rules(x: jax.Array, kernel: jax.Array, window: Window, groups: int) -> jax.Array:
    if len(window.size) == 1:
        # As two axes, the first of one element: the fast kernel takes nothing else.
        window = Window(*((a, *b) for a, b in zip((1, 1, (0, 0), 1), window, strict=True)))
        return _by_rules(x[:, None], kernel[None], window, groups)[:, 0]
    if groups == 1:
        return _ungrouped(x, kernel, window)
    if kernel.shape[-2] == 1:
        x = jnp.repeat(x, kernel.shape[-1] // groups, axis=-1)
        return _depthwise(x, kernel, window)
    return _grouped(_ungrouped, x, kernel, window, groups)


def _ungrouped(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    *size, inputs, features = kernel.shape
    taps = math.prod(size)
    if taps == 1 or (taps <= 9 and taps * inputs <= 32):
        # With so few inputs to each output one dot is faster, above all for the kernel's gradient.
        columns = jnp.concatenate(window.taps(x), -1)
        flat = columns.reshape(math.prod(columns.shape[:-1]), taps * inputs)
        y = flat @ kernel.reshape(taps * inputs, features)
        return y.reshape(*columns.shape[:-1], features)
    if len(size) == 3:
        return _by_depth(x, kernel, window)
    return _dense(x, kernel, window)


def _by_depth(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """Three axes as two: the depth taps are channels, and the depths are examples."""
    depth = Window(*((a[0], b, b) for a, b in zip(window, (1, 1, (0, 0), 1), strict=True)))
    x = jnp.concatenate(depth.taps(x), -1)
    kernel = jnp.moveaxis(kernel, 0, 2)
    kernel = kernel.reshape(*kernel.shape[:2], -1, kernel.shape[-1])
    y = _dense(x.reshape(-1, *x.shape[2:]), kernel, Window(*(a[1:] for a in window)))
    return y.reshape(*x.shape[:2], *y.shape[1:])


def _grouped(
    conv: _Convolution, x: jax.Array, kernel: jax.Array, window: Window, groups: int
) -> jax.Array:
    """A few dense convolutions with block-diagonal kernels: XLA's groups are slow on CPU."""
    *size, inputs, features = kernel.shape
    fit = (b for b in range(1, 9) if groups % b == 0 and x.shape[-1] >= 16 * b)
    blocks = max(fit, default=1)
    merged = groups // blocks
    kernel = kernel.reshape(*size, 1, inputs, blocks, merged, features // groups)
    diagonal = jnp.eye(merged, dtype=kernel.dtype)
    diagonal = diagonal.reshape(*(1 for _ in size), merged, 1, merged, 1)
    outputs = []
    for block, part in enumerate(jnp.split(x, blocks, axis=-1)):
        dense = kernel[..., block, :, :] * diagonal
        dense = dense.reshape(*size, merged * inputs, features // blocks)
        outputs.append(conv(part, dense, window))
    return jnp.concatenate(outputs, -1)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _dense(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    return _conv(x, kernel, window, _ORDERS[2])


@functools.partial(_dense.defjvp, symbolic_zeros=True)
def _(window: Window, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    x, kernel = primals
    y = _dense(x, kernel, window)
    along = (lambda dx: _along_input(dx, kernel, window), lambda dk: _along_kernel(x, dk, window))
    return y, tangent(along, tangents)


# The axes of these two are stored in such an order that the transposes, which are what a gradient
# is made of, come out as [N, H, W, I] * [h, w, I, O] again.
def _along_input(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    return _conv(x, kernel.transpose(0, 1, 3, 2), window, ("NHWC", "HWOI", "NHWC"))


def _along_kernel(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    x, kernel = x.transpose(3, 1, 2, 0), kernel.transpose(2, 0, 1, 3)
    return _conv(x, kernel, window, ("CHWN", "IHWO", "HWNC")).transpose(2, 0, 1, 3)


def _conv(x: jax.Array, kernel: jax.Array, window: Window, order: tuple[str, ...]) -> jax.Array:
    return lax.conv_general_dilated(
        x,
        kernel,
        window.stride,
        window.padding,
        rhs_dilation=window.dilation,
        dimension_numbers=order,
    )


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _depthwise(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """Each channel for itself, ``[N, *spatial, C] * [*window, 1, C]``: a sum over taps, one loop."""
    weights = kernel.reshape(-1, x.shape[-1])
    taps = window.taps(x)
    return sum(tap * _like(w, tap) for tap, w in zip(taps, weights, strict=True))


@functools.partial(_depthwise.defjvp, symbolic_zeros=True)
def _(window: Window, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    x, kernel = primals
    y = _depthwise(x, kernel, window)
    channels = x.shape[-1]
    weights = kernel.reshape(-1, channels)

    def back(y: jax.Array) -> jax.Array:
        return window.spread(x.shape[1:-1], [y], lambda tap, y: y * _like(weights[tap], y))

    def along_kernel(kernel: jax.Array) -> jax.Array:
        # The gradient is a sum over all places, for which XLA has no fast loop.
        if len(window.size) == 2 and channels <= 128:
            return _grouped(_along_kernel, x, kernel, window, channels)
        return _depthwise(x, kernel, window)

    return y, tangent((lambda dx: jax.linear_transpose(back, y)(dx)[0], along_kernel), tangents)


def _like(w: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.broadcast_to(w, x.shape)
