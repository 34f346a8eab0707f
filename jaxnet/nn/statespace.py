"""What state-space layers share: a linear recurrence, computed for all times at once."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_axis, check_float
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array
from jaxnet.nn.sequence import SequenceLayer, where_live


def linear_recurrence(
    x: jax.Array, decay: jax.Array, state: jax.Array | None = None, *, axis: int = -2
) -> tuple[jax.Array, jax.Array]:
    """``h[t] = decay[t] * h[t - 1] + x[t]`` along an axis, time: the last h, and all of them.

    ``x`` and ``decay`` have one shape, by default ``[..., T, D]``, both real or both complex.
    ``state`` has it without the axis of time and is what came before (zeros by default); the
    last h is one, too, in its dtype. The T steps are a loop on CPU, and a tree of depth log T
    elsewhere (arXiv:1709.04057). Real numbers are computed in at least float32.
    Raises ValueError if shapes or kinds of numbers differ, and for no steps at all.

    >>> linear_recurrence(jnp.ones((3, 1)), jnp.full((3, 1), 0.5))
    (Array([1.75], dtype=float32), Array([[1.  ],
           [1.5 ],
           [1.75]], dtype=float32))
    """
    what = "linear_recurrence"
    check_float(x, f"the input of {what}")
    check_axis(x, axis, what)
    check_steps(x, axis, what)
    check_shape(decay, x.shape, f"decay of {what}")
    axis %= x.ndim
    moment = x.shape[:axis] + x.shape[axis + 1 :]
    state = jnp.zeros(moment, x.dtype) if state is None else state
    check_shape(state, moment, f"state of {what}")
    kinds = {jnp.issubdtype(each.dtype, jnp.complexfloating) for each in (x, decay, state)}
    if len(kinds) > 1:
        raise ValueError(
            f"x, decay and state of {what} must be all real or all complex, but are {describe(x)}, "
            f"{describe(decay)} and {describe(state)}; convert them: x.astype(jnp.complex64)"
        )
    wide = x.dtype if kinds.pop() else at_least_float32(x, decay)
    hs = recur(x.astype(wide), decay.astype(wide), state.astype(wide), axis)
    return jax.lax.index_in_dim(hs, -1, axis, False).astype(state.dtype), hs.astype(x.dtype)


def recur(x: jax.Array, decay: jax.Array, state: jax.Array, axis: int) -> jax.Array:
    """All ``h`` of ``linear_recurrence``, of arrays of one dtype."""
    # On CPU the tree, which goes through memory for each of its levels, takes several times as long
    # as a loop; elsewhere it is steps one after the other that take long.
    return (one_by_one if jax.default_backend() == "cpu" else as_tree)(x, decay, state, axis)


# Both are compiled by themselves: outside of jit, a loop over a new function would compile at every
# call, and the tree would be hundreds of small programs.
@functools.partial(jax.jit, static_argnums=3)
def one_by_one(x: jax.Array, decay: jax.Array, state: jax.Array, axis: int) -> jax.Array:
    """All ``h`` as a loop over time."""

    def step(h: jax.Array, inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        x, decay = inputs
        h = decay * h + x
        return h, h

    inputs = (jnp.moveaxis(x, axis, 0), jnp.moveaxis(decay, axis, 0))
    return jnp.moveaxis(jax.lax.scan(step, state, inputs)[1], 0, axis)


@functools.partial(jax.jit, static_argnums=3)
def as_tree(x: jax.Array, decay: jax.Array, state: jax.Array, axis: int) -> jax.Array:
    """All ``h`` as a tree over time."""
    first = jax.lax.slice_in_dim(x, 0, 1, axis=axis)
    first += jax.lax.slice_in_dim(decay, 0, 1, axis=axis) * jnp.expand_dims(state, axis)
    x = jnp.concatenate([first, jax.lax.slice_in_dim(x, 1, None, axis=axis)], axis)
    return jax.lax.associative_scan(_follow, (x, decay), axis=axis)[0]


def _follow(early: Any, late: Any) -> tuple[jax.Array, jax.Array]:
    """Two stretches of time as one: what it adds, and what it leaves of what was before."""
    (x, decay), (y, rest) = early, late
    return rest * x + y, rest * decay


class StateSpace(SequenceLayer):
    """A layer that sees a whole sequence at once, time behind the batch: ``[..., T, I]``.

    A subclass has ``begin(x)`` and ``mix``, where ``live [..., T]`` says, if given, which inputs
    are before the end of their sequence: the others are zeros, and must leave the state alone.
    """

    def mix(
        self, params: Any, x: jax.Array, live: jax.Array | None, state: Any
    ) -> tuple[Any, jax.Array]:
        raise NotImplementedError

    def run(
        self, params: Any, xs: jax.Array, live: jax.Array | None, state: Any, key: Any
    ) -> tuple[Any, jax.Array]:
        live = None if live is None else jnp.moveaxis(live, 0, -1)
        state, y = self.mix(params, jnp.moveaxis(xs, 0, -2), live, state)
        return state, jnp.moveaxis(held(live, y, 0), -2, 0)


def held(live: jax.Array | None, x: jax.Array, rest: float) -> jax.Array:
    """``x [..., T, *]``, with ``rest`` where a sequence has ended."""
    return x if live is None else where_live(live, x, jnp.full_like(x, rest))


def check_sequence(x: Any, what: str) -> None:
    """Raise unless ``x`` is floating point, ``[..., T, D]`` with at least one step."""
    check_float(x, f"the input of {what}")
    check_axes(x, 2, f"the input of {what}, [..., T, D],")
    check_steps(x, -2, what)


def check_steps(x: Any, axis: int, what: str) -> None:
    """Raise unless there is a step along ``axis``."""
    if not x.shape[axis]:
        raise ValueError(
            f"the input of {what} must have at least one step in time, axis {axis}, but is "
            f"{describe(x)}; leave out the call where there is no input"
        )


def check_shape(x: Any, shape: tuple[int, ...], what: str) -> None:
    """Raise unless ``x`` is a floating-point array of this shape."""
    if not is_array(x) or x.shape != shape:
        raise ValueError(
            f"{what} must have the shape {shape}, but is {describe(x)}; "
            "time is the axis before the last, features are the last"
        )
    check_float(x, what)


def check_pair(value: Any, what: str, *, most: float = math.inf) -> None:
    """Raise unless ``value`` is two numbers between 0 and ``most``, the smaller one first."""
    numbers = isinstance(value, tuple) and all(isinstance(v, int | float) for v in value)
    if not numbers or len(value) != 2 or not 0 < value[0] <= value[1] < most:
        raise ValueError(
            f"{what} must be a pair of numbers (smallest, largest) between 0 and {most}, but is "
            f"{value if numbers else describe(value)}"
        )
