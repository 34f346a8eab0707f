"""Convolution of arrays, rewritten on CPU into the forms that XLA runs fast.

On CPU XLA has one fast kernel, for dense two-dimensional convolutions in canonical order
``[N, H, W, I] * [h, w, I, O]``. What does not fit it takes 5 to 1000 times longer, and so do the
gradients of a convolution in the body of a loop, which JAX writes in another order. Here every case
becomes plain operations around one dense convolution whose gradients are canonical, too.
Other devices get XLA's own convolution.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.tangents import total
from jaxnet.nn.window import STILL, Window, padded

ORDERS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}


def convolve(x: jax.Array, kernel: jax.Array, window: Window, groups: int = 1) -> jax.Array:
    """``[N, *spatial, I] * [*window, I / groups, O]`` to ``[N, *places, O]``."""
    if jax.default_backend() == "cpu":
        # The kernel knows no 16-bit floats, and sums belong in float32 anyway.
        wide = at_least_float32(x) if jnp.issubdtype(x.dtype, jnp.floating) else x.dtype
        return _by_rules(x.astype(wide), kernel.astype(wide), window, groups).astype(x.dtype)
    return lax.conv_general_dilated(
        x, kernel, window.stride, window.padding, rhs_dilation=window.dilation,
        dimension_numbers=ORDERS[len(window.size)], feature_group_count=groups,
    )  # fmt: skip


def _by_rules(x: jax.Array, kernel: jax.Array, window: Window, groups: int) -> jax.Array:
    if len(window.size) == 1:
        # As two axes, the first of one element: the fast kernel takes nothing else.
        window = STILL.beside(window)
        return _by_rules(x[:, None], kernel[None], window, groups)[:, 0]
    if groups == 1:
        return _ungrouped(x, kernel, window)
    if kernel.shape[-2] == 1:
        x = jnp.repeat(x, kernel.shape[-1] // groups, axis=-1)
        return _depthwise(x, kernel, window)
    return _grouped(x, kernel, window, groups)


def _ungrouped(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    *size, inputs, features = kernel.shape
    taps = math.prod(size)
    few = taps * inputs <= 32 or (inputs >= 256 and math.prod(window.places(x.shape[1:-1])) <= 16)
    if taps == 1 or (taps <= 9 and few):
        # Of so few inputs, or for so few places, one dot is faster.
        columns = jnp.concatenate(window.taps(x), -1)
        flat = columns.reshape(math.prod(columns.shape[:-1]), taps * inputs)
        y = flat @ kernel.reshape(taps * inputs, features)
        return y.reshape(*columns.shape[:-1], features)
    if len(size) == 3:
        return _by_depth(x, kernel, window)
    return _dense(x, kernel, window)


def _by_depth(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """Three axes as two: the depth taps are channels, and the depths are examples."""
    depth = window.part(slice(1)).beside(STILL).beside(STILL)
    x = jnp.concatenate(depth.taps(x), -1)
    kernel = jnp.moveaxis(kernel, 0, 2)
    kernel = kernel.reshape(*kernel.shape[:2], -1, kernel.shape[-1])
    y = _dense(x.reshape(-1, *x.shape[2:]), kernel, window.part(slice(1, None)))
    return y.reshape(*x.shape[:2], *y.shape[1:])


def _grouped(x: jax.Array, kernel: jax.Array, window: Window, groups: int) -> jax.Array:
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
        outputs.append(_ungrouped(part, dense, window))
    return jnp.concatenate(outputs, -1)


def _canonical(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    return _conv(x, kernel, window, ORDERS[2])


_dense = jax.custom_jvp(_canonical, nondiff_argnums=(2,))


@functools.partial(_dense.defjvp, symbolic_zeros=True)
def _(window: Window, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    x, kernel = primals
    y = _dense(x, kernel, window)
    along = (lambda dx: _along_input(dx, kernel, window), lambda dk: _along_kernel(x, dk, window))
    return y, total(along, tangents)


# The axes of these two are stored in such an order that the transposes, which are what a gradient
# is made of, come out as [N, H, W, I] * [h, w, I, O] again.
def _along_input(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    return _conv(x, kernel.transpose(0, 1, 3, 2), window, ("NHWC", "HWOI", "NHWC"))


def _along_kernel(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    if x.shape[-1] >= 64 and math.prod(window.size) <= 9:
        return _image_by_image(x, kernel, window)
    if any(m > n for m, n in zip(window.places(x.shape[1:-1]), x.shape[1:-1], strict=True)):
        # The gradient slides the result over the input, for which the fast kernel must not be
        # smaller, its padding left aside.
        x, window = padded(x, window.padding), window._replace(padding=((0, 0),) * 2)
    x, kernel = x.transpose(3, 1, 2, 0), kernel.transpose(2, 0, 1, 3)
    return _conv(x, kernel, window, ("CHWN", "IHWO", "HWNC")).transpose(2, 0, 1, 3)


def _image_by_image(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """The dots of which the kernel's gradient is made fastest: of what stays in the cache."""
    places = window.places(x.shape[1:-1])
    few = math.gcd(x.shape[0], max(1, 1024 // math.prod(places)))
    matrix = kernel.reshape(-1, kernel.shape[-1]).T

    # Else the columns of all images would be kept for the gradient.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def some(x: jax.Array, matrix: jax.Array) -> jax.Array:
        columns = jnp.concatenate(window.taps(x), -1)
        columns = columns.reshape(-1, columns.shape[-1])
        return lax.dot_general(columns, matrix, (((1,), (1,)), ((), ())))

    y = lax.map(lambda x: some(x, matrix), x.reshape(x.shape[0] // few, few, *x.shape[1:]))
    return y.reshape(x.shape[0], *places, kernel.shape[-1])


def _conv(
    x: jax.Array, kernel: jax.Array, window: Window, order: tuple[str, str, str]
) -> jax.Array:
    return lax.conv_general_dilated(
        x, kernel, window.stride, window.padding, rhs_dilation=window.dilation,
        dimension_numbers=order,
    )  # fmt: skip


def _sum_of_taps(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """Each channel for itself, ``[N, *spatial, C] * [*window, 1, C]``, in one loop."""
    weights = kernel.reshape(-1, x.shape[-1])
    taps = zip(window.taps(x), weights, strict=True)
    return functools.reduce(jnp.add, (tap * _like(weight, tap) for tap, weight in taps))


_depthwise = jax.custom_jvp(_sum_of_taps, nondiff_argnums=(2,))


@functools.partial(_depthwise.defjvp, symbolic_zeros=True)
def _(window: Window, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    x, kernel = primals
    y = _depthwise(x, kernel, window)
    weights = kernel.reshape(-1, x.shape[-1])

    def along_input(x: jax.Array) -> jax.Array:
        return window.gather(x, y, [], lambda tap, y: y * _like(weights[tap], y))

    return y, total((along_input, lambda dk: _sum_of_taps(x, dk, window)), tangents)


def _like(w: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.broadcast_to(w, x.shape)
