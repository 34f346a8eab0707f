"""LSTM and GRU along a whole sequence on a CPU, faster than step by step with JAX's derivative.

JAX's derivative of a loop over time adds up the gradients of the kernels step by step, and keeps
all that it needs of all steps. Here time goes in chunks whose arrays stay in the cache: a chunk's
input projection is one matrix product, and so is its part of each kernel's gradient. Between them
its loop does what depends on the step before: one product and, in the derivative, factors that were
computed for the whole chunk. The rule is a ``custom_jvp`` with a tangent that is a plain linear
loop. So it is its transpose that is the loop against time, and all transforms apply.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core.tangents import is_zero
from jaxnet.nn.linear import linear
from jaxnet.nn.matmul import along_kernel

type State = tuple[jax.Array, ...]

_barrier = jax.lax.optimization_barrier


class Weights(NamedTuple):
    """``kernel [I, G]``, ``recurrent [H, G]`` and their biases ``[G]``, or None, for all gates."""

    kernel: jax.Array
    bias: jax.Array | None
    recurrent: jax.Array
    recurrent_bias: jax.Array | None


class Rule(NamedTuple):
    """A cell as functions of its state, the output first, and pre-activations ``[..., G]``.

    ``step(state, p, q)`` has those from the input and those from the state, and gives the new state
    and ``gates``. With ``factors(before, after, gates)`` the tangent of a step is
    ``flow(rest, ds, fold(of_p * dp) + fold(of_q * dq))``.
    """

    step: Callable[[State, jax.Array, jax.Array], tuple[State, State]]
    factors: Callable[[State, State, State], tuple[jax.Array, jax.Array, State]]
    fold: Callable[[jax.Array], State]
    flow: Callable[[State, State, State], State]


def _lstm_step(state: State, p: jax.Array, q: jax.Array) -> tuple[State, State]:
    z = p + q
    # As sigmoid(z) = (1 + tanh(z / 2)) / 2, one loop does all gates.
    half = jnp.asarray([0.5, 0.5, 1, 0.5], z.dtype).repeat(z.shape[-1] // 4)
    half = jnp.broadcast_to(half, z.shape)
    gates = half * jnp.tanh(half * z) + (1 - half)
    i, f, g, o = jnp.split(gates, 4, -1)
    cell = f * state[1] + i * g
    return (o * jnp.tanh(cell), cell), (gates,)


def _lstm_factors(before: State, after: State, gates: State) -> tuple[jax.Array, jax.Array, State]:
    i, f, g, o = jnp.split(gates[0], 4, -1)
    tanh = jnp.tanh(after[1])
    parts = [g * i * (1 - i), before[1] * f * (1 - f), i * (1 - g * g), tanh * o * (1 - o)]
    factors = jnp.concatenate(parts, -1)
    return factors, factors, (f, o * (1 - tanh * tanh))


def _lstm_fold(dz: jax.Array) -> State:
    i, f, g, o = jnp.split(dz, 4, -1)
    return o, i + f + g


def _lstm_flow(rest: State, ds: State, drive: State) -> State:
    cell = rest[0] * ds[1] + drive[1]
    return rest[1] * cell + drive[0], cell


def _gru_step(state: State, p: jax.Array, q: jax.Array) -> tuple[State, State]:
    (h,), cut = state, [2 * state[0].shape[-1]]
    (p_rz, p_n), (q_rz, q_n) = jnp.split(p, cut, -1), jnp.split(q, cut, -1)
    # Otherwise XLA makes one loop of all this, which is not vectorised.
    rz = _barrier(jax.nn.sigmoid(p_rz + q_rz))
    r, z = jnp.split(rz, 2, -1)
    n = jnp.tanh(p_n + r * q_n)
    return ((1 - z) * n + z * h,), (rz, n, q_n)


def _gru_factors(before: State, after: State, gates: State) -> tuple[jax.Array, jax.Array, State]:
    rz, n, q_n = gates
    r, z = jnp.split(rz, 2, -1)
    of_n = (1 - z) * (1 - n * n)
    of_rz = [of_n * q_n * r * (1 - r), (before[0] - n) * z * (1 - z)]
    return jnp.concatenate([*of_rz, of_n], -1), jnp.concatenate([*of_rz, of_n * r], -1), (z,)


def _gru_fold(dz: jax.Array) -> State:
    r, z, n = jnp.split(dz, 3, -1)
    return (r + z + n,)


def _gru_flow(rest: State, ds: State, drive: State) -> State:
    return (rest[0] * ds[0] + drive[0],)


LSTM = Rule(_lstm_step, _lstm_factors, _lstm_fold, _lstm_flow)
GRU = Rule(_gru_step, _gru_factors, _gru_fold, _gru_flow)


def _along(
    rule: Rule, reverse: bool, weights: Weights, xs: jax.Array, state: State
) -> tuple[State, jax.Array]:
    """The last state, and the outputs ``[T, ..., H]`` for inputs ``[T, ..., I]``."""
    last, (_, states, _) = _forward(rule, reverse, weights, xs, state)
    return last, _joined(states[0])


along: Any = jax.custom_jvp(_along, nondiff_argnums=(0, 1))


def _forward(rule: Rule, reverse: bool, weights: Weights, xs: jax.Array, state: State) -> Any:
    """The last state; and of each chunk the first state, and all states and gates."""

    def step(state: State, p: jax.Array) -> Any:
        q = linear(state[0], weights.recurrent, weights.recurrent_bias)
        new, gates = rule.step(state, p, q)
        return new, (new, gates)

    def chunk(state: State, x: jax.Array) -> Any:
        p = linear(x, weights.kernel, weights.bias)
        last, (states, gates) = jax.lax.scan(step, state, p, reverse=reverse)
        return last, (state, states, gates)

    return jax.lax.scan(chunk, state, _chunks(xs), reverse=reverse)


@functools.partial(along.defjvp, symbolic_zeros=True)
def _(rule: Rule, reverse: bool, primals: Any, tangents: Any) -> Any:
    weights, xs, state = primals
    last, saved = _forward(rule, reverse, weights, xs, state)
    dweights, dxs, dstate = jax.tree.map(_moving, tangents, is_leaf=is_zero)
    ds = tuple(jnp.zeros_like(s) if d is None else d for s, d in zip(state, dstate, strict=True))

    # What the transposed loop multiplies by is then a matrix as it is stored.
    transposed = _barrier(weights.recurrent.T)

    # Otherwise the factors of all chunks would be computed, and kept, ahead of the loop.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def chunk(ds: State, inputs: Any) -> tuple[State, jax.Array]:
        dx, x, (start, states, gates) = inputs
        before = tuple(_before(s, ys, reverse) for s, ys in zip(start, states, strict=True))
        of_p, of_q, rest = rule.factors(before, states, gates)
        dp = _tangent(x, weights.kernel, dx, dweights.kernel, dweights.bias, of_p)
        dq = _tangent(
            before[0], weights.recurrent, None, dweights.recurrent, dweights.recurrent_bias, of_q
        )

        def step(ds: State, inputs: Any) -> tuple[State, jax.Array]:
            inflow, of_q, rest = inputs
            drive = rule.fold(of_q * jnp.einsum("...i,oi->...o", ds[0], transposed))
            ds = rule.flow(rest, ds, jax.tree.map(jnp.add, inflow, drive))
            return ds, ds[0]

        inflow = jax.tree.map(jnp.add, rule.fold(of_p * dp), rule.fold(of_q * dq))
        return jax.lax.scan(step, ds, (inflow, of_q, rest), reverse=reverse)

    inputs = (None if dxs is None else _chunks(dxs), _chunks(xs), saved)
    dlast, dys = jax.lax.scan(chunk, ds, inputs, reverse=reverse)
    return (last, _joined(saved[1][0])), (dlast, _joined(dys))


def _tangent(
    x: jax.Array, kernel: jax.Array, dx: Any, dkernel: Any, dbias: Any, like: jax.Array
) -> jax.Array:
    """That of ``x @ kernel + bias``; None is for what does not move."""
    total = jnp.zeros_like(like)
    if dx is not None:
        total += linear(dx, kernel)
    if dkernel is not None:
        total += along_kernel(x.reshape(-1, x.shape[-1]), dkernel).reshape(like.shape)
    if dbias is not None:
        total += jnp.broadcast_to(dbias, like.shape)
    return total


def _moving(tangent: Any) -> Any:
    return None if is_zero(tangent) else tangent


def _before(start: jax.Array, states: jax.Array, reverse: bool) -> jax.Array:
    """What each step of a chunk started from."""
    parts = [states[1:], start[None]] if reverse else [start[None], states[:-1]]
    return jnp.concatenate(parts)


def _chunks(xs: jax.Array) -> jax.Array:
    """``[T, ...]`` in chunks of at least 4 steps, and of about a thousand rows if T divides so."""
    steps, rows = len(xs), math.prod(xs.shape[1:-1])
    fit = [size for size in range(4, steps + 1) if steps % size == 0]
    size = min(fit, key=lambda size: abs(size * rows - 1024), default=steps)
    return xs.reshape(steps // size, size, *xs.shape[1:])


def _joined(ys: jax.Array) -> jax.Array:
    return ys.reshape(ys.shape[0] * ys.shape[1], *ys.shape[2:])
