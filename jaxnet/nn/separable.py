"""Convolutions that keep channels apart."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_choice, check_float, check_size
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers
from jaxnet.nn.conv import MODES, check_options, conv
from jaxnet.nn.linear import Linear
from jaxnet.nn.sliding import Padding, Sizes, sliding, window_size


class DepthwiseConv(Layer):
    """Convolves each channel by itself, with ``multiplier`` kernels.

    ``[..., *spatial, I]`` becomes ``[..., *places, I * multiplier]``, where output
    ``i * multiplier + j`` is channel i seen through its kernel j. The rest is as in ``Conv``.
    Leaves ``kernel [*kernel_size, 1, I * multiplier]`` and, unless switched off,
    ``bias [I * multiplier]``.

    >>> layer = DepthwiseConv(3, multiplier=2, padding="SAME")
    >>> params = layer.init(jax.random.key(0), jax.numpy.zeros((1, 28, 28, 4)))
    >>> layer(params, jax.numpy.ones((2, 28, 28, 4))).shape
    (2, 28, 28, 8)
    """

    kernel_size: Sizes
    _: KW_ONLY
    multiplier: int = 1
    stride: Sizes = 1
    padding: Padding = "VALID"
    dilation: Sizes = 1
    padding_mode: str = "zeros"
    bias: bool = True
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_options(self)
        check_choice(self.padding_mode, MODES, "padding_mode", "conv")
        check_size(self.multiplier, "multiplier of DepthwiseConv")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_float(x, "the input of DepthwiseConv")
        size = window_size(self.kernel_size, "kernel_size of DepthwiseConv")
        sliding(x, size, self.stride, self.padding, self.dilation, "DepthwiseConv")
        channels, taps = x.shape[-1], math.prod(size)
        features = channels * self.multiplier
        kernel_init, bias_init = initializers.affine(self.initializer, taps)
        if self.initializer == "keras":
            # Keras counts fans on its kernel [*window, I, multiplier].
            bound = math.sqrt(6 / (taps * (channels + self.multiplier)))
            kernel_init = initializers.Uniform(bound)
        return conv(
            x,
            param(params, "kernel", (*size, 1, features), kernel_init),
            param(params, "bias", (features,), bias_init) if self.bias else None,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=channels,
            padding_mode=self.padding_mode,
        )


class SeparableConv(Layer):
    """A depthwise convolution, then a linear map of the channels at each place.

    ``[..., *spatial, I]`` to ``[..., *places, features]``, options as in ``DepthwiseConv``. Leaves
    ``depthwise/kernel [*kernel_size, 1, I * multiplier]``, ``pointwise/kernel [I * multiplier,
    features]`` and, unless switched off, ``pointwise/bias [features]`` (arXiv:1610.02357).

    >>> layer = SeparableConv(6, (3,))
    >>> params = layer.init(jax.random.key(0), jax.numpy.zeros((1, 10, 4)))
    >>> layer(params, jax.numpy.ones((2, 10, 4))).shape
    (2, 8, 6)
    """

    features: int
    kernel_size: Sizes
    _: KW_ONLY
    multiplier: int = 1
    stride: Sizes = 1
    padding: Padding = "VALID"
    dilation: Sizes = 1
    padding_mode: str = "zeros"
    bias: bool = True
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.features, "features of SeparableConv")
        self._parts()

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        depthwise, pointwise = self._parts()
        return pointwise(params["pointwise"], depthwise(params["depthwise"], x))

    def _parts(self) -> tuple[DepthwiseConv, Linear]:
        depthwise = DepthwiseConv(
            self.kernel_size,
            multiplier=self.multiplier,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            padding_mode=self.padding_mode,
            bias=False,
            initializer=self.initializer,
        )
        return depthwise, Linear(self.features, bias=self.bias, initializer=self.initializer)
