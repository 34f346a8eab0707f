"""Recurrence over sequences of images: an LSTM whose matrix products are convolutions."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_size
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers
from jaxnet.nn.cell import (
    FORGET_ONE,
    Activation,
    Cell,
    check_activation,
    recurrent_initializer,
)
from jaxnet.nn.cells import LSTMState, lstm
from jaxnet.nn.conv import conv
from jaxnet.nn.recurrent import Loop
from jaxnet.nn.sliding import Padding, Sizes, per_axis, sliding, window_size


class _Options(Layer):
    """What the cell and the layer have in common."""

    features: int
    kernel_size: Sizes
    _: KW_ONLY
    stride: Sizes = 1
    padding: Padding = "VALID"
    dilation: Sizes = 1
    activation: Activation = jax.nn.tanh
    recurrent_activation: Activation = jax.nn.sigmoid
    bias: bool = True
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        what = type(self).__name__
        check_size(self.features, f"features of {what}")
        axes = len(window_size(self.kernel_size, f"kernel_size of {what}"))
        per_axis(self.stride, axes, f"stride of {what}")
        per_axis(self.dilation, axes, f"dilation of {what}")
        check_activation(self.activation, f"activation of {what}")
        check_activation(self.recurrent_activation, f"recurrent_activation of {what}")

    @property
    def _window(self) -> tuple[int, ...]:
        return window_size(self.kernel_size, f"kernel_size of {type(self).__name__}")

    @property
    def axes(self) -> int:
        return len(self._window) + 1


class ConvLSTMCell(_Options, Cell):
    """An LSTM on images (arXiv:1506.04214): ``[..., *spatial, I] -> [..., *places, features]``.

    As ``LSTMCell``, with convolutions for the products: that of the input with ``stride``,
    ``padding`` and ``dilation`` as in ``conv``, that of the state with ``padding="SAME"``.
    ``kernel_size`` as an int means two spatial axes; a tuple says by its length how many there are.
    The state is ``LSTMState(h, c)``, each ``[..., *places, features]``.

    Leaves, with the gates in the order i, f, g, o: ``kernel [*kernel_size, I, 4F]``,
    ``recurrent [*kernel_size, F, 4F]`` and, unless switched off, ``bias [4F]``.

    >>> cell = ConvLSTMCell(4, 3, padding="SAME")
    >>> x = jnp.ones((2, 6, 6, 1))
    >>> params = cell.init(jax.random.key(0), cell.initial(x), x)
    >>> state, y = cell(params, cell.initial(x), x)
    >>> y.shape
    (2, 6, 6, 4)
    """

    def initial(self, x: Any) -> LSTMState:
        window = sliding(x, self._window, self.stride, self.padding, self.dilation, "ConvLSTMCell")
        spatial, batch = x.shape[x.ndim - self.axes : -1], x.shape[: x.ndim - self.axes]
        shape = (*batch, *window.places(spatial), self.features)
        return LSTMState(jnp.zeros(shape, x.dtype), jnp.zeros(shape, x.dtype))

    def project(self, params: Any, x: jax.Array) -> jax.Array:
        shape = (*self._window, x.shape[-1], 4 * self.features)
        kernel_init, bias_init = initializers.affine(self.initializer, math.prod(shape[:-1]))
        kernel = param(params, "kernel", shape, kernel_init)
        bias = None
        if self.bias:
            bias_init = FORGET_ONE if self.initializer == "keras" else bias_init
            bias = param(params, "bias", (4 * self.features,), bias_init)
        return conv(
            x, kernel, bias, stride=self.stride, padding=self.padding, dilation=self.dilation
        )

    def step(
        self, params: Any, state: LSTMState, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[LSTMState, jax.Array]:
        shape = (*self._window, self.features, 4 * self.features)
        init = recurrent_initializer(self.initializer, math.prod(shape[:-1]), 4)
        recurrent = param(params, "recurrent", shape, init)
        gates = x + conv(state.hidden.astype(x.dtype), recurrent, padding="SAME")
        y, cell = lstm(gates, state.cell, self.activation, self.recurrent_activation)
        hidden = y.astype(state.hidden.dtype)
        return LSTMState(hidden, cell.astype(state.cell.dtype)), y.astype(x.dtype)


class ConvLSTM(_Options, Loop):
    """A convolutional LSTM: ``[..., T, *spatial, I] -> [..., T, *places, features]``.

    Runs ``ConvLSTMCell`` along time, with its leaves and options; ``state``, ``lengths``, ``scan``
    and the remaining options as in ``Recurrent``.

    >>> layer = ConvLSTM(4, 3, padding="SAME")
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 6, 6, 1)))
    >>> layer(params, jnp.ones((2, 5, 6, 6, 1))).shape
    (2, 5, 6, 6, 4)
    """

    def begin(self, x: Any) -> LSTMState:
        return self.recurrent(ConvLSTMCell).begin(x)

    def run(
        self, params: Any, xs: jax.Array, live: jax.Array | None, state: Any, key: Any
    ) -> tuple[Any, jax.Array]:
        return self.recurrent(ConvLSTMCell).run(params, xs, live, state, key)
