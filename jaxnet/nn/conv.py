"""Convolution over one to three spatial axes."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_float, check_size
from jaxnet.core.errors import describe, near
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers
from jaxnet.nn.convolve import convolve
from jaxnet.nn.sliding import Padding, Sizes, per_axis, sliding, window_size

_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def conv(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    stride: Sizes = 1,
    padding: Padding = "VALID",
    dilation: Sizes = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> jax.Array:
    """Slides a kernel over the spatial axes: ``[..., *spatial, I]`` to ``[..., *places, O]``.

    ``kernel [*window, I / groups, O]`` says by its axes how many are spatial, 1 to 3; any axes
    before those are batch. As in PyTorch nothing is flipped: at place p
    ``y[p, o] = bias[o] + sum_ti x[p * stride + t * dilation - low, i] * kernel[t, i, o]``.

    ``padding`` is ``"VALID"`` (none), ``"SAME"`` (``ceil(n / stride)`` places; an odd one goes to
    the high side, as in TensorFlow), ``"CAUSAL"`` (all on the low side: a place sees nothing after
    itself), an int, one int an axis, or one pair ``(low, high)`` an axis. ``padding_mode`` says
    what stands there: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
    ``groups`` splits inputs and outputs into groups that do not see each other; with
    ``groups=I`` the convolution is depthwise.
    Raises ValueError if shapes and options do not fit each other.

    >>> x = jnp.arange(5.0)[:, None]
    >>> conv(x, jnp.ones((3, 1, 1)), padding="SAME")[:, 0]
    Array([1., 3., 6., 9., 7.], dtype=float32)
    >>> conv(jnp.ones((2, 8, 8, 3)), jnp.ones((3, 3, 3, 4)), stride=2, padding=1).shape
    (2, 4, 4, 4)
    """
    check_float(x, "the input of conv")
    check_float(kernel, "the kernel of conv")
    axes = kernel.ndim - 2
    if not 1 <= axes <= 3:
        raise ValueError(
            f"the kernel of conv is [*window, I / groups, O] with a window of 1 to 3 axes, but is "
            f"{describe(kernel)}"
        )
    window = sliding(x, kernel.shape[:axes], stride, padding, dilation, "conv")
    inputs, features = kernel.shape[axes:]
    _check_groups(groups, x.shape[-1], features)
    if inputs * groups != x.shape[-1]:
        raise ValueError(
            f"the input of conv has {x.shape[-1]} channels, but the kernel {describe(kernel)} with "
            f"groups={groups} takes {inputs * groups}; is the input channels-last?"
        )
    if bias is not None and bias.shape != (features,):
        raise ValueError(
            f"the bias of conv must have the shape ({features},), one value a feature, "
            f"but is {describe(bias)}"
        )
    if padding_mode not in _MODES:
        raise ValueError(f"conv has no padding_mode={padding_mode!r}; {near(padding_mode, _MODES)}")
    dtype = jnp.result_type(x, kernel)
    batch = x.shape[: x.ndim - axes - 1]
    x = x.astype(dtype).reshape(math.prod(batch), *x.shape[len(batch) :])
    if padding_mode != "zeros":
        _check_reach(padding_mode, x.shape[1:-1], window.padding)
        x = jnp.pad(x, [(0, 0), *window.padding, (0, 0)], _MODES[padding_mode])
        window = window._replace(padding=((0, 0),) * axes)
    y = convolve(x, kernel.astype(dtype), window, groups)
    if bias is not None:
        y = y + jnp.broadcast_to(bias, y.shape)
    return y.reshape(*batch, *y.shape[1:])


class Conv(Layer):
    """A convolution with learnt kernel: ``[..., *spatial, I]`` to ``[..., *places, features]``.

    ``kernel_size`` as an int means two spatial axes, ``[..., H, W, I]``; a tuple says by its
    length how many there are: ``(3,)`` for sequences, ``(3, 3, 3)`` for volumes. Options as in
    ``conv``, and ``initializer`` as in ``Linear``. Leaves ``kernel [*kernel_size, I / groups,
    features]`` and, unless switched off, ``bias [features]``.

    >>> layer = Conv(8, 3, padding="SAME")
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    >>> jax.tree.map(jnp.shape, params)
    {'bias': (8,), 'kernel': (3, 3, 1, 8)}
    >>> layer(params, jnp.ones((2, 28, 28, 1))).shape
    (2, 28, 28, 8)
    """

    features: int
    kernel_size: Sizes
    _: KW_ONLY
    stride: Sizes = 1
    padding: Padding = "VALID"
    dilation: Sizes = 1
    groups: int = 1
    padding_mode: str = "zeros"
    bias: bool = True
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.features, "features of Conv")
        axes = len(window_size(self.kernel_size, "kernel_size of Conv"))
        per_axis(self.stride, axes, "stride of Conv")
        per_axis(self.dilation, axes, "dilation of Conv")
        _check_groups(self.groups, self.groups, self.features)

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_float(x, "the input of Conv")
        size = window_size(self.kernel_size, "kernel_size of Conv")
        sliding(x, size, self.stride, self.padding, self.dilation, "Conv")
        _check_groups(self.groups, x.shape[-1], self.features)
        shape = (*size, x.shape[-1] // self.groups, self.features)
        kernel_init, bias_init = initializers.affine(self.initializer, math.prod(shape[:-1]))
        kernel = param(params, "kernel", shape, kernel_init)
        return conv(
            x,
            kernel,
            param(params, "bias", (self.features,), bias_init) if self.bias else None,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            padding_mode=self.padding_mode,
        )


def _check_groups(groups: Any, channels: int, features: int) -> None:
    check_size(groups, "groups of a convolution")
    for number, what in ((channels, "input channels"), (features, "features")):
        if number % groups:
            raise ValueError(
                f"{number} {what} cannot be split into groups={groups}: "
                f"groups must divide the number of {what}"
            )


def _check_reach(mode: str, spatial: tuple[int, ...], padding: Any) -> None:
    """Padding by values of the input itself can reach no further than the input does."""
    limits = {"reflect": -1, "circular": 0}
    for n, pads in zip(spatial, padding, strict=True):
        if mode in limits and max(pads) > n + limits[mode]:
            raise ValueError(
                f"padding_mode={mode!r} can add at most {n + limits[mode]} to an axis of {n}, "
                f"but the padding is {pads}; use less, or padding_mode='zeros'"
            )
