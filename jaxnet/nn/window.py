"""Windows that slide over spatial axes: what convolution and pooling have in common."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

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

    def part(self, axes: slice) -> "Window":
        """The same on some of the axes."""
        return Window(self.size[axes], self.stride[axes], self.padding[axes], self.dilation[axes])

    def beside(self, other: "Window") -> "Window":
        """A window over the axes of both."""
        return Window(
            self.size + other.size,
            self.stride + other.stride,
            self.padding + other.padding,
            self.dilation + other.dilation,
        )

    def places(self, spatial: Ints) -> Ints:
        """How many places there are on each axis of an input of this size."""
        axes = zip(spatial, *self, strict=True)
        return tuple((n + sum(p) - (k - 1) * d - 1) // s + 1 for n, k, s, p, d in axes)

    def taps(self, x: jax.Array, fill: float = 0) -> list[jax.Array]:
        """What each element of the window sees at all places, in row-major order."""
        places = self.places(x.shape[1:-1])
        pads = [
            (low, high + -(n + low + high) % s)
            for n, (low, high), s in zip(x.shape[1:-1], self.padding, self.stride, strict=True)
        ]
        x = padded(x, pads, fill)
        split = [(n // s, s) for n, s in zip(x.shape[1:-1], self.stride, strict=True)]
        x = x.reshape(x.shape[0], *itertools.chain(*split), x.shape[-1])
        taps = []
        for at in self._offsets():
            cuts = ((slice(q, q + m), r) for (q, r), m in zip(at, places, strict=True))
            taps.append(x[:, *itertools.chain(*cuts)])
        return taps

    def gather(
        self,
        x: jax.Array,
        y: jax.Array,
        arrays: Sequence[jax.Array],
        weigh: Callable[..., jax.Array],
    ) -> jax.Array:
        """A weighted sum of the taps of ``x``, of the shape of ``y``, for use as a tangent.

        Written as the transpose of its transpose, so that a gradient, which transposes it once
        more, is made of slices, too. ``weigh(tap, y, *arrays)`` is the linear map of one tap.
        """

        def back(y: jax.Array) -> jax.Array:
            return self.spread(x.shape[1:-1], [y, *arrays], weigh)

        return jax.linear_transpose(back, y)(x)[0]

    def spread(
        self, size: Ints, arrays: Sequence[jax.Array], weigh: Callable[..., jax.Array]
    ) -> jax.Array:
        """Sums what each place sends back along its taps to an input of ``size``.

        What it sends along one tap is ``weigh(tap, *arrays)``: this is the transpose of ``taps``.
        """
        pads = list(zip(size, self.padding, self.stride, strict=True))
        length = [-(-(n + sum(p)) // s) for n, p, s in pads]
        offsets = self._offsets()
        far = [q for q, _ in offsets[-1]]
        margins = zip(far, length, arrays[0].shape[1:-1], strict=True)
        margins = [(q, n - m) for q, n, m in margins]
        arrays = [padded(a, margins) for a in arrays]
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


# One element on one axis: it leaves an axis alone.
STILL = Window((1,), (1,), ((0, 0),), (1,))


def as_one_batch(fn: Callable[[jax.Array], jax.Array], x: jax.Array, axes: int) -> jax.Array:
    """``fn``, which needs ``[N, *spatial, C]``, of ``x`` with any batch axes."""
    batch = x.shape[: x.ndim - axes - 1]
    y = fn(x.reshape(math.prod(batch), *x.shape[len(batch) :]))
    return y.reshape(*batch, *y.shape[1:])


def padded(x: jax.Array, pads: Sequence[tuple[int, int]], fill: float = 0) -> jax.Array:
    """``x [N, *spatial, C]`` with ``fill`` on both sides of its spatial axes."""
    if not any(low or high for low, high in pads):
        return x
    still = (0, 0, 0)
    return jax.lax.pad(x, jnp.asarray(fill, x.dtype), [still, *((*p, 0) for p in pads), still])
