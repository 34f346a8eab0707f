"""Layers with a state that goes along time, and sequences of unequal lengths.

A layer returns the outputs, ``y = layer(params, x)``, and so stands in a ``Sequential``. Its method
``scan`` takes the same arguments and returns ``(state, y)``, as ``lax.scan`` does: the next call
goes on from that state, be it with the rest of a sequence or with what was generated.
"""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_float
from jaxnet.core.errors import describe, is_array, seen
from jaxnet.core.layer import Layer
from jaxnet.nn.cell import fitting


class SequenceLayer(Layer):
    """A layer with a state that goes along time: ``[..., T, I] -> [..., T, features]``.

    ``time_major`` puts time first, ``[T, ..., I]``. A subclass has three parts: ``axes``, how many
    of them one input has behind those of the batch; ``begin(x)``, the state before inputs such as
    ``x``; and ``run``, on sequences with time first.
    """

    _: KW_ONLY
    time_major: bool = False

    @property
    def axes(self) -> int:
        return 1

    def begin(self, x: Any) -> Any:
        raise NotImplementedError

    def run(
        self, params: Any, xs: jax.Array, live: jax.Array | None, state: Any, key: Any
    ) -> tuple[Any, jax.Array]:
        raise NotImplementedError

    def __call__(
        self,
        params: Any,
        x: jax.Array,
        state: Any = None,
        lengths: jax.Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> jax.Array:
        return self.scan(params, x, state, lengths, key=key)[1]

    def scan(
        self,
        params: Any,
        x: jax.Array,
        state: Any = None,
        lengths: jax.Array | None = None,
        *,
        key: jax.Array | None = None,
    ) -> tuple[Any, jax.Array]:
        """The last state and all outputs, from a first state (zeros by default).

        ``lengths [...]`` says where each sequence ends. Its state then stays as it is, outputs are
        zeros, and what stands there counts for nothing; against time it starts at its own end.
        So results are those of PyTorch's packed sequences.
        """
        what = type(self).__name__
        xs, time = self._time_first(x)
        needed = jax.eval_shape(self.begin, xs[0])
        state = self.begin(xs[0]) if state is None else fitting(state, needed, what)
        live = None
        if lengths is not None:
            batch = xs.shape[1 : xs.ndim - self.axes]
            live = _live(lengths, len(xs), batch, what)
            xs = where_live(live, xs, jnp.zeros_like(xs))
        state, ys = self.run(params, xs, live, state, key)
        return state, jnp.moveaxis(ys, 0, time)

    def initial(self, x: Any) -> Any:
        """The state before a sequence such as ``x``: zeros, as ``scan`` starts from by default."""
        return self.begin(self._time_first(x)[0][0])

    def _time_first(self, x: jax.Array) -> tuple[jax.Array, int]:
        what = f"the input of {type(self).__name__}"
        check_float(x, what)
        check_axes(x, self.axes + 1, f"{what}, a sequence with an axis of time,")
        time = 0 if self.time_major else x.ndim - 1 - self.axes
        if not x.shape[time]:
            raise ValueError(f"{what} must have at least one step in time, but is {describe(x)}")
        return jnp.moveaxis(x, time, 0), time


def _live(lengths: Any, steps: int, batch: tuple[int, ...], what: str) -> jax.Array:
    """Which steps are before the end of their sequence: ``[T, ...]``."""
    if not is_array(lengths) or lengths.shape != batch:
        raise ValueError(
            f"lengths of {what} must be one number a sequence, of the batch's shape {batch}, but "
            f"is {describe(lengths)}"
        )
    if not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise ValueError(
            f"lengths of {what} must be integers, but is {describe(lengths)}; "
            "convert them: lengths.astype(jnp.int32), or sum a mask over time"
        )
    known = seen(lengths)
    if known is not None and known.size and (known.min() < 0 or known.max() > steps):
        raise ValueError(
            f"lengths of {what} lie between {known.min()} and {known.max()}, but a sequence has "
            f"from 0 to {steps} steps; is the axis of time the right one (see time_major)?"
        )
    lengths = jnp.broadcast_to(jnp.asarray(lengths), (steps, *batch))
    return jax.lax.broadcasted_iota(lengths.dtype, lengths.shape, 0) < lengths


def where_live(live: jax.Array, new: Any, old: Any) -> Any:
    """``new`` for the sequences that go on, ``old`` for those that have ended."""

    def choose(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(jnp.expand_dims(live, tuple(range(live.ndim, new.ndim))), new, old)

    return jax.tree.map(choose, new, old)
