"""The real-gated linear recurrent unit of Griffin (arXiv:2402.19427)."""

import dataclasses
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import child, param
from jaxnet.core.checks import check_positive, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.nn import initializers
from jaxnet.nn.cell import Blocks
from jaxnet.nn.conv import check_groups
from jaxnet.nn.statespace import (
    StateSpace,
    check_pair,
    check_sequence,
    check_shape,
    held,
    linear_recurrence,
)


def rg_lru(
    x: jax.Array,
    input_gate: jax.Array,
    recurrence_gate: jax.Array,
    decay: jax.Array,
    state: jax.Array | None = None,
    *,
    power: float = 8.0,
) -> tuple[jax.Array, jax.Array]:
    """``h[t] = a[t] h[t - 1] + sqrt(1 - a[t]^2) i[t] x[t]``: the last h, and all of them.

    ``i`` and ``r`` are the sigmoids of the gates, and ``a = exp(-power * softplus(decay) * r)``.
    ``x``, gates and outputs are ``[..., T, D]``, ``decay [D]`` and ``state [..., D]``, the h before
    (zeros by default), in whatever dtype a last h shall have. Computed in at least float32.
    Raises ValueError if the shapes do not fit each other.

    >>> x = jnp.ones((2, 1))
    >>> state, y = rg_lru(x, 0 * x, 0 * x, jnp.array([-2.0]))
    >>> y[:, 0]
    Array([0.3993, 0.6396], dtype=float32)
    """
    what = "rg_lru"
    check_sequence(x, what)
    check_shape(input_gate, x.shape, f"input_gate of {what}")
    check_shape(recurrence_gate, x.shape, f"recurrence_gate of {what}")
    check_shape(decay, x.shape[-1:], f"decay of {what}")
    needed = (*x.shape[:-2], x.shape[-1])
    state = jnp.zeros(needed, x.dtype) if state is None else state
    check_shape(state, needed, f"state of {what}")
    check_positive(power, f"power of {what}")
    wide = at_least_float32(x)
    rate = jnp.broadcast_to(power * jax.nn.softplus(decay.astype(wide)), x.shape)
    log_a = -rate * jax.nn.sigmoid(recurrence_gate.astype(wide))
    gated = jax.nn.sigmoid(input_gate.astype(wide)) * x.astype(wide)
    last, y = linear_recurrence(_rest(log_a) * gated, jnp.exp(log_a), state.astype(wide))
    return last.astype(state.dtype), y.astype(x.dtype)


def _rest(log_a: jax.Array) -> jax.Array:
    """``sqrt(1 - a^2)``, with a slope of 0 where a is 1."""
    rest = -jnp.expm1(2 * log_a)
    return jnp.where(rest > 0, jnp.sqrt(jnp.where(rest > 0, rest, 1)), 0)


class RGLRU(StateSpace):
    """A linear recurrence of each feature, its gates linear in x: ``[..., T, D] -> [..., T, D]``.

    ``rg_lru`` of gates ``x W + b``, where the features of each of ``blocks`` equal blocks see each
    other only. Leaves ``input_gate/kernel [D / blocks, D]``, ``input_gate/bias [D]``, the same
    under ``recurrence_gate``, and ``decay [D]``, which starts such that a is between the two of
    ``radius`` where the gate is open, uniformly. ``initializer``, as in ``Linear``, is the gates'.
    The state is ``h [..., D]``, in at least float32; it, ``lengths``, ``scan`` and ``time_major``
    are as in ``Recurrent``.
    Raises ValueError unless ``blocks`` divides D.

    >>> layer = RGLRU(blocks=2)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 4)))
    >>> layer(params, jnp.ones((2, 5, 4))).shape
    (2, 5, 4)

    Step by step, as in generation:

    >>> state, y = layer.scan(params, jnp.ones((2, 1, 4)))
    >>> state, y = layer.scan(params, jnp.ones((2, 1, 4)), state)
    >>> state.shape
    (2, 4)
    """

    _: KW_ONLY
    blocks: int = 1
    power: float = 8.0
    radius: tuple[float, float] = (0.9, 0.999)
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.blocks, "blocks of RGLRU")
        check_positive(self.power, "power of RGLRU")
        check_pair(self.radius, "radius of RGLRU", most=1)

    def begin(self, x: Any) -> jax.Array:
        return jnp.zeros(x.shape, at_least_float32(x))

    def mix(
        self, params: Any, x: jax.Array, live: jax.Array | None, state: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        init = _Decay(self.power, *self.radius)
        decay = param(params, "decay", x.shape[-1:], init)
        input_gate = self._gate(child(params, "input_gate"), x)
        # A closed gate leaves the state alone.
        closed = float(jnp.finfo(x.dtype).min)
        recurrence_gate = held(live, self._gate(child(params, "recurrence_gate"), x), closed)
        return rg_lru(x, input_gate, recurrence_gate, decay, state, power=self.power)

    def _gate(self, params: Any, x: jax.Array) -> jax.Array:
        features = x.shape[-1]
        check_groups(self.blocks, features, features)
        size = features // self.blocks
        kernel_init, bias_init = initializers.affine(self.initializer, size)
        kernel = param(params, "kernel", (size, features), Blocks((kernel_init,) * self.blocks))
        kernel = kernel.reshape(size, self.blocks, size)
        # One axis for all of the batch: with several, XLA's kernel gradient copies.
        gate = jnp.einsum("nbi,ibo->nbo", x.reshape(-1, self.blocks, size), kernel)
        bias = param(params, "bias", (features,), bias_init)
        return gate.reshape(x.shape) + jnp.broadcast_to(bias, x.shape)


@dataclasses.dataclass(frozen=True)
class _Decay:
    """Leaves a uniform factor, between ``low`` and ``high``, at an open gate."""

    power: float
    low: float
    high: float

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        a = jax.random.uniform(key, shape, dtype, self.low, self.high)
        return jnp.log(jnp.expm1(-jnp.log(a) / self.power))
