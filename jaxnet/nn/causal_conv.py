"""Causal convolution of each channel by itself, with a state: whole sequences, or step by step."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_float, check_size
from jaxnet.core.errors import describe
from jaxnet.nn import initializers
from jaxnet.nn.conv import conv
from jaxnet.nn.separable import DepthwiseConv
from jaxnet.nn.statespace import StateSpace, check_sequence, check_shape


def causal_conv(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    state: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """``y[t, d] = bias[d] + sum_k kernel[k, 0, d] * x[t - K + 1 + k, d]``: the next state, and y.

    ``x`` and ``y`` are ``[..., T, D]`` and ``kernel [K, 1, D]``, as that of a depthwise ``conv``.
    ``state [..., K - 1, D]`` holds the inputs before the first (zeros by default); the next state
    holds the last ones, so that a call on each part of a sequence makes what one on all makes.
    Raises ValueError if the shapes do not fit each other.

    >>> state, y = causal_conv(jnp.arange(1.0, 5)[:, None], jnp.ones((3, 1, 1)))
    >>> y[:, 0], state[:, 0]
    (Array([1., 3., 6., 9.], dtype=float32), Array([3., 4.], dtype=float32))
    """
    check_sequence(x, "causal_conv")
    check_float(kernel, "the kernel of causal_conv")
    if kernel.ndim != 3 or kernel.shape[1:] != (1, x.shape[-1]) or not len(kernel):
        raise ValueError(
            f"the kernel of causal_conv must be [K, 1, D] with the D = {x.shape[-1]} channels of "
            f"the input {describe(x)}, but is {describe(kernel)}; PyTorch's [D, 1, K] becomes it "
            "by transpose(2, 1, 0)"
        )
    needed = (*x.shape[:-2], len(kernel) - 1, x.shape[-1])
    state = jnp.zeros(needed, x.dtype) if state is None else state
    check_shape(state, needed, "state of causal_conv")
    seen = _after(state, x)
    return _last(seen, state, None), conv(seen, kernel, bias, groups=x.shape[-1])


class CausalConv(StateSpace):
    """A causal convolution of each channel by itself: ``[..., T, D] -> [..., T, D]``.

    Leaves ``kernel [kernel_size, 1, D]`` and, unless switched off, ``bias [D]``. The state is
    ``[..., kernel_size - 1, D]``, the last inputs; it, ``lengths``, ``scan`` and ``time_major``
    are as in ``Recurrent``, and ``initializer`` as in ``DepthwiseConv``.

    >>> layer = CausalConv(4)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 3)))
    >>> layer(params, jnp.ones((2, 5, 3))).shape
    (2, 5, 3)
    >>> state, y = layer.scan(params, jnp.ones((2, 1, 3)))
    >>> state.shape
    (2, 3, 3)
    """

    kernel_size: int
    _: KW_ONLY
    bias: bool = True
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.kernel_size, "kernel_size of CausalConv")

    def begin(self, x: Any) -> jax.Array:
        return jnp.zeros((*x.shape[:-1], self.kernel_size - 1, x.shape[-1]), x.dtype)

    def mix(
        self, params: Any, x: jax.Array, live: jax.Array | None, state: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        layer = DepthwiseConv((self.kernel_size,), bias=self.bias, initializer=self.initializer)
        seen = _after(state, x)
        return _last(seen, state, live), layer(params, seen)


def _after(state: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.concatenate([state.astype(x.dtype), x], -2)


def _last(seen: jax.Array, state: jax.Array, live: jax.Array | None) -> jax.Array:
    """As many of the inputs as a state holds: the last ones before the end."""
    size = state.shape[-2]
    if live is None:
        last = seen[..., seen.shape[-2] - size :, :]
    else:
        end = live.sum(-1, keepdims=True)
        places = jnp.broadcast_to(end, (*end.shape[:-1], size))
        places += jax.lax.broadcasted_iota(places.dtype, places.shape, places.ndim - 1)
        last = jnp.take_along_axis(seen, places[..., None], -2)
    return last.astype(state.dtype)
