"""Convolution over one to three spatial axes."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_choice, check_float, check_size
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers
from jaxnet.nn.convolve import convolve
from jaxnet.nn.pad import pad
from jaxnet.nn.sliding import Padding, Sizes, per_axis, sliding, window_size
from jaxnet.nn.window import as_one_batch

MODES = ("zeros", "reflect", "replicate", "circular")


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
    axes = kernel_axes(kernel, "conv")
    window = sliding(x, kernel.shape[:axes], stride, padding, dilation, "conv")
    check_channels(x, kernel, groups, "conv")
    check_bias(bias, kernel.shape[-1:], "conv")
    check_choice(padding_mode, MODES, "padding_mode", "conv")
    if padding_mode != "zeros":
        x = pad(x, window.padding, mode=padding_mode)
        window = window._replace(padding=((0, 0),) * axes)
    dtype = jnp.result_type(x, kernel)
    kernel = kernel.astype(dtype)
    y = as_one_batch(lambda x: convolve(x, kernel, window, groups), x.astype(dtype), axes)
    return y if bias is None else y + jnp.broadcast_to(bias, y.shape)


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
        check_options(self)
        check_size(self.features, "features of Conv")
        check_groups(self.groups, self.groups, self.features)
        check_choice(self.padding_mode, MODES, "padding_mode", "conv")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_float(x, "the input of Conv")
        size = window_size(self.kernel_size, "kernel_size of Conv")
        sliding(x, size, self.stride, self.padding, self.dilation, "Conv")
        check_groups(self.groups, x.shape[-1], self.features)
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


def check_options(layer: Any) -> None:
    """Raise unless a layer's kernel_size, stride and dilation are for the same spatial axes."""
    name = type(layer).__name__
    axes = len(window_size(layer.kernel_size, f"kernel_size of {name}"))
    per_axis(layer.stride, axes, f"stride of {name}")
    per_axis(layer.dilation, axes, f"dilation of {name}")


def kernel_axes(kernel: Any, what: str) -> int:
    """How many axes a kernel ``[*window, I / groups, O]`` slides over, 1 to 3."""
    check_float(kernel, f"the kernel of {what}")
    axes = kernel.ndim - 2
    if not 1 <= axes <= 3:
        raise ValueError(
            f"the kernel of {what} is [*window, I / groups, O] with a window of 1 to 3 axes, but "
            f"is {describe(kernel)}"
        )
    return axes


def check_groups(groups: Any, channels: int, features: int) -> None:
    """Raise unless ``groups`` divides both numbers."""
    check_size(groups, "groups of a convolution")
    for number, what in ((channels, "input channels"), (features, "features")):
        if number % groups:
            raise ValueError(
                f"{number} {what} cannot be split into groups={groups}: "
                f"groups must divide the number of {what}"
            )


def check_channels(x: Any, kernel: Any, groups: Any, what: str) -> None:
    """Raise unless a kernel ``[*window, I / groups, O]`` fits the channels of ``x``."""
    inputs, features = kernel.shape[-2:]
    check_groups(groups, x.shape[-1], features)
    if inputs * groups != x.shape[-1]:
        raise ValueError(
            f"the input of {what} has {x.shape[-1]} channels, but the kernel {describe(kernel)} "
            f"with groups={groups} takes {inputs * groups}; is the input channels-last?"
        )


def check_bias(bias: Any, shape: tuple[int, ...], what: str) -> None:
    """Raise unless ``bias`` is None or of this shape."""
    if bias is not None and jnp.shape(bias) != shape:
        raise ValueError(
            f"the bias of {what} must have the shape {shape}, one value a feature, "
            f"but is {describe(bias)}"
        )
