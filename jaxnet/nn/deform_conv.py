"""Convolution whose kernel looks where learnt offsets send it."""

import functools
import itertools
import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_float, check_prediction, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers
from jaxnet.nn.conv import check_bias, check_channels, check_groups, check_options, kernel_axes
from jaxnet.nn.sliding import Padding, Sizes, sliding, window_size
from jaxnet.nn.window import Ints, Window


def deform_conv(
    x: jax.Array,
    offsets: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    mask: jax.Array | None = None,
    stride: Sizes = 1,
    padding: Padding = "VALID",
    dilation: Sizes = 1,
    groups: int = 1,
) -> jax.Array:
    """``conv`` with each tap moved by an offset: ``[..., *spatial, I]`` to ``[..., *places, O]``.

    ``y[p, o] = bias[o] + sum_ti mask[p, t] * x(p * stride + t * dilation - low + offsets[p, t])[i]
    * kernel[t, i, o]``, where x between its elements is linear, and zero outside.

    ``offsets [..., *places, parts * taps * axes]`` have, for each tap in row-major order, one
    number an axis, in elements of ``x``, the first spatial axis first. Each of ``parts`` equal
    parts of the channels has offsets of its own; how many there are follows from the shape.
    ``mask [..., *places, parts * taps]`` is that of version 2 (arXiv:1811.11168), without it this
    is version 1 (arXiv:1703.06211). Both are PyTorch's with the channels moved last. The other
    options are as in ``conv``; the kernel has 1 to 3 spatial axes.
    Raises ValueError if shapes and options do not fit each other.

    >>> x, half = jnp.arange(4.0)[:, None], jnp.full((3, 2), 0.5)
    >>> deform_conv(x, half, jnp.ones((2, 1, 1)))[:, 0]
    Array([2., 4., 4.], dtype=float32)
    """
    check_prediction(x, "the input of deform_conv")
    check_prediction(offsets, "the offsets of deform_conv")
    check_prediction(kernel, "the kernel of deform_conv")
    axes = kernel_axes(kernel, "deform_conv")
    window = sliding(x, kernel.shape[:axes], stride, padding, dilation, "deform_conv")
    check_channels(x, kernel, groups, "deform_conv")
    check_bias(bias, kernel.shape[-1:], "deform_conv")
    batch, spatial = x.shape[: x.ndim - axes - 1], x.shape[x.ndim - axes - 1 : -1]
    places, taps = window.places(spatial), math.prod(window.size)
    parts = _parts(x, offsets, mask, (*batch, *places), window.size)

    n, count = math.prod(batch), math.prod(places)
    dtype = jnp.result_type(x, kernel)
    wide = at_least_float32(x, offsets)
    moved = offsets.astype(wide).reshape(n, count, parts, taps, axes).swapaxes(1, 2)
    at = moved + jnp.broadcast_to(jnp.asarray(_grid(window, places), wide), moved.shape)
    split = x.astype(wide).reshape(n, *spatial, parts, x.shape[-1] // parts)
    split = jnp.moveaxis(split, -2, 1)
    found = _between(
        split.reshape(n * parts, *split.shape[2:]), at.reshape(n * parts, count * taps, axes)
    ).reshape(n, parts, count, taps, -1)
    if mask is not None:
        weight = mask.astype(wide).reshape(n, count, parts, taps, 1).swapaxes(1, 2)
        found = found * jnp.broadcast_to(weight, found.shape)
    # [n, places, taps, I], then by group [groups, n * places, taps * I / groups]
    columns = found.transpose(0, 2, 3, 1, 4).reshape(n * count, taps, groups, -1)
    columns = columns.transpose(2, 0, 1, 3).reshape(groups, n * count, -1)
    each = kernel.astype(wide).reshape(taps, -1, groups, kernel.shape[-1] // groups)
    each = each.transpose(2, 0, 1, 3).reshape(groups, columns.shape[-1], -1)
    y = (columns @ each).transpose(1, 0, 2).reshape(*batch, *places, -1).astype(dtype)
    return y if bias is None else y + jnp.broadcast_to(bias, y.shape)


class DeformConv(Layer):
    """A deformable convolution with learnt kernel; offsets and mask are inputs of the call.

    ``layer(params, x, offsets, mask=None)``, shapes as in ``deform_conv``. Offsets and mask are
    usually made from ``x`` by a ``Conv`` that starts at zero, the mask by a sigmoid after it.
    Options as in ``deform_conv``, leaves and ``initializer`` as in ``Conv``.

    >>> layer = DeformConv(8, 3)
    >>> x, offsets = jnp.ones((2, 6, 6, 4)), jnp.zeros((2, 4, 4, 18))
    >>> layer(layer.init(jax.random.key(0), x, offsets), x, offsets).shape
    (2, 4, 4, 8)
    """

    features: int
    kernel_size: Sizes
    _: KW_ONLY
    stride: Sizes = 1
    padding: Padding = "VALID"
    dilation: Sizes = 1
    groups: int = 1
    bias: bool = True
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        check_size(self.features, "features of DeformConv")
        check_groups(self.groups, self.groups, self.features)

    def __call__(
        self,
        params: Any,
        x: jax.Array,
        offsets: jax.Array,
        mask: jax.Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> jax.Array:
        check_float(x, "the input of DeformConv")
        size = window_size(self.kernel_size, "kernel_size of DeformConv")
        sliding(x, size, self.stride, self.padding, self.dilation, "DeformConv")
        check_groups(self.groups, x.shape[-1], self.features)
        shape = (*size, x.shape[-1] // self.groups, self.features)
        kernel_init, bias_init = initializers.affine(self.initializer, math.prod(shape[:-1]))
        kernel = param(params, "kernel", shape, kernel_init)
        return deform_conv(
            x,
            offsets,
            kernel,
            param(params, "bias", (self.features,), bias_init) if self.bias else None,
            mask=mask,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )


def _parts(x: Any, offsets: Any, mask: Any, places: Ints, window: Ints) -> int:
    """How many parts of the channels have offsets of their own."""
    taps = math.prod(window)
    numbers = taps * len(window)
    *before, last = offsets.shape or (0,)
    parts = last // numbers
    if tuple(before) != places or last % numbers or not parts or x.shape[-1] % parts:
        raise ValueError(
            f"the offsets of deform_conv are {describe(offsets)}, but the input {describe(x)} "
            f"needs {(*places, numbers)}, a number for each tap and spatial axis, or a multiple "
            "of them that divides the channels; give the Conv that makes them as many features, "
            "and the same stride, padding and dilation"
        )
    if mask is not None:
        check_prediction(mask, "the mask of deform_conv")
        if mask.shape != (*places, parts * taps):
            raise ValueError(
                f"the mask of deform_conv is {describe(mask)}, but these offsets need "
                f"{(*places, parts * taps)}, one number for each tap"
            )
    return parts


def _grid(window: Window, places: Ints) -> np.ndarray:
    """Where each tap of each place lies without offsets: ``[places, taps, axes]``."""
    axes = len(places)
    place = np.moveaxis(np.indices(places).reshape(axes, -1, 1), 0, -1)
    tap = np.moveaxis(np.indices(window.size).reshape(axes, 1, -1), 0, -1)
    low = np.array([pads[0] for pads in window.padding])
    return place * np.array(window.stride) + tap * np.array(window.dilation) - low


def _between(x: jax.Array, at: jax.Array) -> jax.Array:
    """``x [N, *spatial, C]`` at ``[N, L, axes]``, linear between its elements: ``[N, L, C]``."""
    spatial = x.shape[1:-1]
    # Far outside there is nothing; a number that large may be no int.
    near = [jnp.clip(at[..., axis], -2, n) for axis, n in enumerate(spatial)]
    floors = [jax.lax.stop_gradient(jnp.floor(position)) for position in near]
    lows = [floor.astype(jnp.int32) for floor in floors]
    parts = [position - floor for position, floor in zip(near, floors, strict=True)]
    flat = x.reshape(len(x), math.prod(spatial), x.shape[-1])

    def corner(sides: Ints) -> jax.Array:
        index, share = jnp.zeros(at.shape[:-1], jnp.int32), jnp.ones(at.shape[:-1], at.dtype)
        for side, n, low, part in zip(sides, spatial, lows, parts, strict=True):
            place = low + side
            inside = (place >= 0) & (place < n)
            share = share * jnp.where(inside, part if side else 1 - part, 0)
            index = index * n + jnp.clip(place, 0, n - 1)
        found = jax.vmap(lambda x, index: x.at[index].get(mode="promise_in_bounds"))(flat, index)
        return found * jnp.broadcast_to(share[..., None], found.shape)

    return functools.reduce(jnp.add, map(corner, itertools.product((0, 1), repeat=len(spatial))))
