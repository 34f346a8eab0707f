"""Mamba: a state space that selects by its input what it keeps (arXiv:2312.00752)."""

import dataclasses
import functools
import math
from dataclasses import KW_ONLY
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import child, param
from jaxnet.core.checks import check_axes, check_float, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.nn import initializers
from jaxnet.nn.causal_conv import CausalConv
from jaxnet.nn.linear import Linear, linear
from jaxnet.nn.statespace import (
    StateSpace,
    check_pair,
    check_sequence,
    check_shape,
    held,
    recur,
)


def selective_scan(
    x: jax.Array,
    dt: jax.Array,
    A: jax.Array,
    B: jax.Array,
    C: jax.Array,
    D: jax.Array | None = None,
    state: jax.Array | None = None,
    *,
    chunk: int = 64,
) -> tuple[jax.Array, jax.Array]:
    """A state space of its own for each channel, with steps and in- and outputs that vary in time.

    ``h[t] = exp(dt[t] A) h[t - 1] + dt[t] B[t] x[t]`` and ``y[t] = C[t] h[t] + D x[t]``, with
    ``x, dt, y [..., T, D]``, ``B, C [..., T, N]``, ``A [D, N]`` (negative, or h grows), ``D [D]``
    (zeros by default) and ``h [..., D, N]``. Returns the last h and y; ``state``, the h before
    (zeros by default), is in whatever dtype a last h shall have. ``dt`` must be positive already:
    it is ``softplus`` of what a network says.

    Computed in at least float32, for ``chunk`` steps at once and one such part after the other:
    so there are all of h for the steps of one part only, in the gradient, too.
    Raises ValueError if the shapes do not fit each other.

    >>> x, ones = jnp.ones((3, 1)), jnp.ones((3, 2))
    >>> state, y = selective_scan(x, x, jnp.full((1, 2), -1.0), ones, ones)
    >>> y[:, 0]
    Array([2.    , 2.7358, 3.0064], dtype=float32)
    """
    what = "selective_scan"
    check_sequence(x, what)
    check_float(A, f"A of {what}")
    check_axes(A, 1, f"A of {what}, [D, N],")
    features, modes = x.shape[-1], A.shape[-1]
    check_shape(A, (features, modes), f"A of {what}")
    check_shape(dt, x.shape, f"dt of {what}")
    for value, name in ((B, "B"), (C, "C")):
        check_shape(value, (*x.shape[:-1], modes), f"{name} of {what}")
    if D is not None:
        check_shape(D, (features,), f"D of {what}")
    needed = (*x.shape[:-2], features, modes)
    state = jnp.zeros(needed, x.dtype) if state is None else state
    check_shape(state, needed, f"state of {what}")
    check_size(chunk, f"chunk of {what}")
    wide = at_least_float32(x)
    series = tuple(v.astype(wide) for v in (x, dt, B, C))
    last, y = _by_chunks(series, A.astype(wide), state.astype(wide), min(chunk, x.shape[-2]))
    if D is not None:
        y += jnp.broadcast_to(D.astype(wide), y.shape) * series[0]
    return last.astype(state.dtype), y.astype(x.dtype)


# Compiled by itself, for outside of jit a scan over a new function compiles at every call.
@functools.partial(jax.jit, static_argnums=3)
def _by_chunks(
    series: tuple[jax.Array, ...], A: jax.Array, state: jax.Array, chunk: int
) -> tuple[jax.Array, jax.Array]:
    time = series[0].shape[-2]

    def cut(x: jax.Array) -> jax.Array:
        # A step of no size, which the padding is, leaves the state alone.
        x = jnp.moveaxis(x, -2, 0)
        x = jnp.pad(x, [(0, -time % chunk), *[(0, 0)] * (x.ndim - 1)])
        return x.reshape(-1, chunk, *x.shape[1:])

    @functools.partial(jax.checkpoint, prevent_cse=False)
    def body(state: jax.Array, part: Any) -> tuple[jax.Array, jax.Array]:
        x, dt, B, C = part
        shape = (*x.shape, A.shape[-1])  # [chunk, ..., D, N]
        exponent = jnp.broadcast_to(dt[..., None], shape) * jnp.broadcast_to(A, shape)
        h = recur((dt * x)[..., None] * B[..., None, :], jnp.exp(exponent), state, 0)
        return h[-1], (h * C[..., None, :]).sum(-1)

    last, ys = jax.lax.scan(body, state, tuple(map(cut, series)))
    ys = ys.reshape(-1, *ys.shape[2:])
    return last, jnp.moveaxis(ys[:time], 0, -2)


class MambaState(NamedTuple):
    """What a Mamba layer hands on: ``inputs [..., K - 1, E]`` and ``hidden [..., E, N]``.

    The former are the last inputs of its convolution, the latter is the state of its state space.
    """

    inputs: jax.Array
    hidden: jax.Array


class Mamba(StateSpace):
    """A selective state space between linear maps, with a gate: ``[..., T, D] -> [..., T, D]``.

    ``x`` and ``gate``, of E = ``expand * D`` channels each, are linear in the input. ``x`` goes
    through a causal convolution over ``kernel_size`` steps and ``silu``; then linear maps make
    of it, in this order, dt through ``rank`` numbers (by default D / 16, rounded up), B and C.
    The output is linear in ``silu(gate) * selective_scan(x, softplus(dt), A, B, C, D)`` with
    ``A = -exp(A_log)``.

    Leaves ``in_proj/kernel [D, 2E]`` (x, then gate), ``conv/kernel [kernel_size, 1, E]``,
    ``conv/bias [E]``, ``x_proj/kernel [E, rank + 2N]``, ``dt_proj/kernel [rank, E]``,
    ``dt_proj/bias [E]``, ``A_log [E, N]``, ``D [E]`` and ``out_proj/kernel [E, D]``, where N is
    ``state``; with ``bias`` also ``in_proj/bias`` and ``out_proj/bias``. They start as in the
    authors' code: ``A_log`` with ``log 1, …, log N``, ``softplus(dt_proj/bias)`` between the two of
    ``steps``; ``initializer``, as in ``Linear``, is for the other maps. ``chunk`` as in
    ``selective_scan``. The state is a ``MambaState``, zeros at first; it, ``lengths``, ``scan`` and
    ``time_major`` are as in ``Recurrent``.

    >>> layer = Mamba(state=4)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 3)))
    >>> layer(params, jnp.ones((2, 5, 3))).shape
    (2, 5, 3)

    Step by step, as in generation:

    >>> state, y = layer.scan(params, jnp.ones((2, 1, 3)))
    >>> state, y = layer.scan(params, jnp.ones((2, 1, 3)), state)
    >>> state.inputs.shape, state.hidden.shape
    ((2, 3, 6), (2, 6, 4))
    """

    _: KW_ONLY
    state: int = 16
    expand: int = 2
    kernel_size: int = 4
    rank: int | None = None
    bias: bool = False
    conv_bias: bool = True
    steps: tuple[float, float] = (0.001, 0.1)
    chunk: int = 64
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("state", "expand", "kernel_size", "chunk"):
            check_size(getattr(self, name), f"{name} of Mamba")
        if self.rank is not None:
            check_size(self.rank, "rank of Mamba")
        check_pair(self.steps, "steps of Mamba")

    @property
    def _conv(self) -> CausalConv:
        return CausalConv(self.kernel_size, bias=self.conv_bias, initializer=self.initializer)

    def begin(self, x: Any) -> MambaState:
        channels = (*x.shape[:-1], self.expand * x.shape[-1])
        inputs = self._conv.begin(jax.ShapeDtypeStruct(channels, x.dtype))
        return MambaState(inputs, jnp.zeros((*channels, self.state), at_least_float32(x)))

    def mix(
        self, params: Any, x: jax.Array, live: jax.Array | None, state: MambaState
    ) -> tuple[MambaState, jax.Array]:
        inputs = x.shape[-1]
        channels, rank = self.expand * inputs, self.rank or math.ceil(inputs / 16)

        def map_to(features: int, name: str, x: jax.Array, *, bias: bool) -> jax.Array:
            layer = Linear(features, bias=bias, initializer=self.initializer)
            return layer(child(params, name), x)

        x, gate = jnp.split(map_to(2 * channels, "in_proj", x, bias=self.bias), 2, -1)
        last, x = self._conv.mix(child(params, "conv"), x, live, state.inputs)
        x = jax.nn.silu(x)
        selection = map_to(rank + 2 * self.state, "x_proj", x, bias=False)
        dt, B, C = jnp.split(selection, [rank, rank + self.state], -1)
        at_dt, wide = child(params, "dt_proj"), at_least_float32(x)
        kernel_init = initializers.Uniform(1 / math.sqrt(rank))
        dt = linear(dt, param(at_dt, "kernel", (rank, channels), kernel_init)).astype(wide)
        bias = param(at_dt, "bias", (channels,), _StepBias(*self.steps)).astype(wide)
        dt = held(live, jax.nn.softplus(dt + jnp.broadcast_to(bias, dt.shape)), 0)
        A = -jnp.exp(param(params, "A_log", (channels, self.state), _log_count).astype(wide))
        D = param(params, "D", (channels,), initializers.ones)
        hidden, y = selective_scan(x, dt, A, B, C, D, state.hidden, chunk=self.chunk)
        y = map_to(inputs, "out_proj", y * jax.nn.silu(gate), bias=self.bias)
        return MambaState(last, hidden), y


def _log_count(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    return jnp.log(jax.lax.broadcasted_iota(dtype, shape, len(shape) - 1) + 1)


@dataclasses.dataclass(frozen=True)
class _StepBias:
    """What ``softplus`` turns into step sizes, uniform in their logarithm."""

    low: float
    high: float

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        low, high = math.log(self.low), math.log(self.high)
        return jnp.log(jnp.expm1(jnp.exp(jax.random.uniform(key, shape, dtype, low, high))))
