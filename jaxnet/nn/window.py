"""Windows that slide over spatial axes: what convolution and pooling have in common."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core.errors import describe

type Sizes = int | Sequence[int]
type Padding = str | int | Sequence[int] | Sequence[tuple[int, int]]
type Ints = tuple[int, ...]


class Window(NamedTuple):
    """A window over the spatial axes of ``x [N, *spatial, C]``, and the places it stops at.

    Its places are written as slices of whole axes rather than as strides: XLA moves those fast,
    on their own and in loops, while a strided slice has a gradient with zeros in between, which
    in a loop is about ten times slower.
    """

    size: Ints
    stride: Ints
    padding: tuple[tuple[int, int], ...]
    dilation: Ints

    def outputs(self, x: jax.Array) -> Ints:
        """The number of places on each axis; an error if there is none."""
        reach = [(k - 1) * d + 1 for k, d in zip(self.size, self.dilation, strict=True)]
        padded = [n + sum(p) for n, p in zip(x.shape[1:-1], self.padding, strict=True)]
        if any(r > n for r, n in zip(reach, padded, strict=True)):
            raise ValueError(
                f"the window spans {tuple(reach)}, but the input is {describe(x)}, with padding "
                f"{tuple(padded)} on its spatial axes: use a larger input, more padding, or a "
                "smaller window or dilation"
            )
        places = zip(padded, reach, self.stride, strict=True)
        return tuple((n - r) // s + 1 for n, r, s in places)

    def taps(self, x: jax.Array, fill: float = 0) -> list[jax.Array]:
        """What each element of the window sees at all places, in row-major order."""
        outputs = self.outputs(x)
        pads = [
            (low, high + -(n + low + high) % s)
            for n, (low, high), s in zip(x.shape[1:-1], self.padding, self.stride, strict=True)
        ]
        x = jnp.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)
        split = [(n // s, s) for n, s in zip(x.shape[1:-1], self.stride, strict=True)]
        x = x.reshape(x.shape[0], *itertools.chain(*split), x.shape[-1])
        return [
            x[:, *itertools.chain(*((slice(q, q + m), r) for (q, r), m in zip(at, outputs)))]
            for at in self._offsets()
        ]

    def spread(
        self, size: Ints, arrays: Sequence[jax.Array], weigh: Callable[..., jax.Array]
    ) -> jax.Array:
        """The transpose of ``taps``: sums what each place sends back to an input of ``size``.

        ``weigh(tap, *arrays)`` says what the places send along one tap.
        """
        pads = list(zip(size, self.padding, self.stride, strict=True))
        length = [-(-(n + sum(p)) // s) for n, p, s in pads]
        offsets = self._offsets()
        far = [q for q, _ in offsets[-1]]
        margins = zip(far, length, arrays[0].shape[1:-1], strict=True)
        margins = [(0, 0), *((q, n - m) for q, n, m in margins), (0, 0)]
        arrays = [jnp.pad(a, margins) for a in arrays]
        phases: dict[Ints, jax.Array] = {}
        for tap, at in enumerate(offsets):
            shifts = (f - q for f, (q, _) in zip(far, at, strict=True))
            cut = (slice(None), *(slice(i, i + n) for i, n in zip(shifts, length, strict=True)))
            part = weigh(tap, *(a[cut] for a in arrays))
            phase = tuple(r for _, r in at)
            phases[phase] = phases[phase] + part if phase in phases else part
        # Every phase of the stride, interleaved; one that no tap reaches is zero.
        first = phases[(0,) * len(size)]
        every = itertools.product(*map(range, self.stride))
        x = jnp.stack([phases.get(phase, jnp.zeros_like(first)) for phase in every])
        x = x.reshape(*self.stride, *first.shape)
        axes = len(size)
        order = itertools.chain(*((axes + 1 + i, i) for i in range(axes)))
        x = x.transpose(axes, *order, 2 * axes + 1)
        whole = [n * s for n, s in zip(length, self.stride, strict=True)]
        x = x.reshape(first.shape[0], *whole, first.shape[-1])
        return x[:, *(slice(low, low + n) for n, (low, _), _ in pads)]

    def _offsets(self) -> list[tuple[tuple[int, int], ...]]:
        """Where each tap lies: on each axis in whole strides, and what remains."""
        steps = list(zip(self.dilation, self.stride, strict=True))
        return [
            tuple(divmod(i * d, s) for i, (d, s) in zip(index, steps, strict=True))
            for index in itertools.product(*map(range, self.size))
        ]


def tangent(along: Sequence[Callable[[Any], jax.Array]], tangents: Sequence[Any]) -> jax.Array:
    """The sum of the linear maps ``along`` each input, over those inputs that move."""
    moving = zip(along, tangents, strict=True)
    zero = jax.custom_derivatives.SymbolicZero
    terms = [linear(t) for linear, t in moving if not isinstance(t, zero)]
    return functools.reduce(jnp.add, terms)


def at_least_float32(dtype: Any) -> Any:
    """The dtype to compute in; ``promote_types`` is an error under strict promotion."""
    return jnp.float32 if jnp.finfo(dtype).bits < 32 else dtype
