"""Many steps in one dispatch: a compiled loop over data on the device, or over batches sent to it.

The program's bounds are given at run time, so what is computed does not depend on how the steps are
cut into dispatches, and a run that was stopped anywhere goes on bit for bit.
"""

import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.analysis.cost import program_cost
from jaxnet.core.errors import describe
from jaxnet.data import Batches, prefetch
from jaxnet.data.prefetch import Prefetch
from jaxnet.train.evaluate import gathered, size_of
from jaxnet.train.run import Run
from jaxnet.train.state import TrainState
from jaxnet.train.step import LossFn, Metrics, plain_step

if TYPE_CHECKING:
    import optax

# Long enough for dispatch to cost nothing, short enough for progress and Ctrl-C to be live.
_SECONDS_A_DISPATCH = 0.25
# What is sent to the device at once.
_MOST_BATCHES, _MOST_BYTES = 64, 2**26


@dataclasses.dataclass(frozen=True)
class Done:
    """What a dispatch did, how long it took, and the program that did it, by name."""

    batches: int
    examples: int
    seconds: float = 0.0
    program: Hashable = None


class Programs:
    """The compiled loops of one training."""

    def __init__(
        self,
        loss_fn: LossFn,
        tx: "optax.GradientTransformation",
        options: Mapping[str, Any],
        transform: Callable[[Any, jax.Array], Any] | None,
        unit: int,
    ) -> None:
        self.step = plain_step(loss_fn, tx, **options)
        # Metrics are added up in full batches.
        self.unit = unit

        def gather(source: Any, i: jax.Array) -> Any:
            data, order, words, weights = source
            batch = gathered(data, order[i])
            if transform is not None:
                batch = transform(batch, jax.random.wrap_key_data(words[i], impl="threefry2x32"))
            return batch if weights is None else (batch, weights[i])

        self.resident = self._loop(gather)
        self.streamed = self._loop(lambda stack, i: jax.tree.map(lambda x: x[i], stack))

    def zeros(self, state: TrainState, batch: Any) -> Metrics:
        """The sums before the first step; notes what an example amounts to."""
        program, (_, metrics) = jax.make_jaxpr(self.step, return_shape=True)(state, batch)
        self.per_example = {"FLOP": program_cost(program).flops / size_of(batch)}
        first = jax.tree.leaves(batch)[0]
        if jnp.issubdtype(first.dtype, jnp.integer) and first.ndim == 2:
            self.per_example["tokens"] = first.shape[1]
        for name, value in metrics.items():
            if value.shape:
                raise ValueError(
                    f"fit averages scalar metrics, but {name!r} is {describe(value)}; "
                    "take its mean in loss_fn"
                )
        return {name: jnp.zeros((), value.dtype) for name, value in metrics.items()}

    def run(self, loop: Any, run: Run, source: Any, start: int, stop: int, size: int) -> Done:
        """Make the steps ``start`` to ``stop`` of a source of batches of one size, to their end."""
        began = time.perf_counter()
        run.state, run.sums = jax.block_until_ready(loop(run.state, run.sums, source, start, stop))
        seconds = time.perf_counter() - began
        return Done(
            stop - start, (stop - start) * size, seconds, str(jax.tree.map(jnp.shape, source))
        )

    def means(self, sums: Metrics, seen: int) -> dict[str, float]:
        """Means over the examples seen, the loss first; a step that was skipped has no metrics."""
        values = {name: np.float64(value) for name, value in jax.device_get(sums).items()}
        batches = seen / self.unit
        counted = batches - values.get("skipped", 0.0)
        weights = {name: batches if name == "skipped" else counted for name in values}
        return {
            name: float(values[name] / weights[name]) if weights[name] else math.nan
            for name in sorted(values, key=lambda name: name != "loss")
        }

    def _loop(self, pick: Callable[[Any, jax.Array], Any]) -> Callable[..., Any]:
        def run(
            state: TrainState, sums: Metrics, source: Any, start: int, stop: int
        ) -> tuple[TrainState, Metrics]:
            def once(i: jax.Array, carry: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
                batch = pick(source, i)
                state, metrics = self.step(carry[0], batch)
                return state, _added(carry[1], metrics, size_of(batch) / self.unit)

            return jax.lax.fori_loop(start, stop, once, (state, sums))

        return jax.jit(run, donate_argnums=0)


class Resident:
    """Data on the device: a dispatch is a stretch of the epoch's table of indices."""

    def __init__(self, programs: Programs, batches: Batches, steps: int | None) -> None:
        self.programs, self.batches, self.length = programs, batches, len(batches)
        self._steps, self._fixed = steps or 1, steps is not None
        self._data = jax.tree.map(jnp.asarray, batches.arrays)
        self._tables = functools.lru_cache(maxsize=1)(self._made)

    def example(self) -> Any:
        """The first batch, by its shapes."""
        return jax.eval_shape(lambda: self.batches[0])

    def advance(self, run: Run, stop: float) -> Done:
        """Train on some of the epoch's batches from ``run.index`` to ``stop``."""
        start, size = run.index, self.batches.batch_size
        order, words, weights = self._tables(run.epoch)
        if start < len(order):
            stop = int(min(start + self._steps, len(order), stop))
        else:
            rest = self.batches.indices(run.epoch, start * size)
            order, words = jnp.asarray(rest[None], jnp.int32), words[start:]
            start, stop, size = 0, 1, len(rest)
        source = self._data, order, words, weights
        done = self.programs.run(self.programs.resident, run, source, start, stop, size)
        short = done.batches == self._steps and done.seconds < _SECONDS_A_DISPATCH / 2
        if short and not self._fixed:
            self._steps *= 2
        return done

    def _made(self, epoch: int) -> tuple[jax.Array, jax.Array, jax.Array | None]:
        """An epoch's examples in batches of one size, a key for each batch, and pads' weights."""
        batches, weights = self.batches, None
        order, size = batches.indices(epoch), batches.batch_size
        full = len(order) - len(order) % size
        if batches.remainder == "pad":
            weights = (np.arange(-(-len(order) // size) * size) < len(order)).astype(np.float32)
            rest = order[full:]
            order = np.concatenate([order[:full], np.resize(rest, size if len(rest) else 0)])
            weights, full = jnp.asarray(weights.reshape(-1, size)), len(order)
        order = jnp.asarray(order[:full].reshape(-1, size), jnp.int32)
        return order, jnp.asarray(batches.key_data(epoch)), weights

    def close(self) -> None:
        """Nothing is open."""


class Streamed:
    """Batches from the host, read ahead by a thread; where steps are short, several at once."""

    def __init__(self, programs: Programs, batches: Any, steps: int | None) -> None:
        self.programs, self.batches = programs, batches
        try:
            self.length: float = len(batches)
        except TypeError:  # a stream of unknown length
            self.length = math.inf
        self._steps, self._fixed = steps or 1, steps is not None
        self._ahead: Prefetch | None = None
        # Some streams can be begun only once: what example() began is gone on with.
        self._begun: Iterator[Any] | None = None
        self._place = 0, 0

    def example(self) -> Any:
        """The first batch, by its shapes."""
        batches = iter(self.batches.epoch(0))
        first = next(batches, None)
        if first is None:
            raise ValueError("the data holds no batch: it is empty, or was used up before")
        self._begun = itertools.chain([first], batches)
        return jax.eval_shape(lambda: first)

    def advance(self, run: Run, stop: float) -> Done:
        """Train on some of the epoch's batches from ``run.index`` to ``stop``; none at its end."""
        if self._ahead is None or self._place != (run.epoch, run.index):
            self.close()
            batches = self._begun if (run.epoch, run.index) == (0, 0) else None
            batches, self._begun = batches or self.batches.epoch(run.epoch, run.index), None
            if stop < self.length:
                batches = itertools.islice(batches, int(stop) - run.index)
            self._ahead = prefetch(self._stacks(batches))
        group = next(self._ahead, None)
        if group is None:
            return Done(0, 0)
        stack, count = group
        leaf = jax.tree.leaves(stack)[0]
        done = self.programs.run(self.programs.streamed, run, stack, 0, int(count), leaf.shape[1])
        self._place = run.epoch, run.index + done.batches
        if not self._fixed and run.index > 2:
            # By now the time is that of a step alone.
            nbytes = sum(x.nbytes for x in jax.tree.leaves(stack))
            most = min(_SECONDS_A_DISPATCH / done.seconds, _MOST_BYTES / nbytes, _MOST_BATCHES)
            self._steps, self._fixed = max(1, int(most)), True
        return done

    def _stacks(self, batches: Iterable[Any]) -> Iterator[tuple[Any, int]]:
        """Batches of one shape in a row, stacked and filled up to one length; how many count."""
        group: list[Any] = []
        for batch in batches:
            if group and (len(group) >= self._steps or _shapes(batch) != _shapes(group[0])):
                yield self._stacked(group)
                group = []
            group.append(batch)
        if group:
            yield self._stacked(group)

    def _stacked(self, group: list[Any]) -> tuple[Any, int]:
        filled = group + group[-1:] * (self._steps - len(group))
        return jax.tree.map(_stack, *filled), len(group)

    def close(self) -> None:
        """End the thread that reads ahead."""
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None


def _stack(*leaves: Any) -> Any:
    # What a transform returned is on the device already.
    return (jnp if isinstance(leaves[0], jax.Array) else np).stack(leaves)


def _shapes(batch: Any) -> Any:
    return jax.tree.map(np.shape, batch)


def _added(sums: Metrics, metrics: Metrics, weight: float) -> Metrics:
    """Sums over batches: a smaller batch counts for less, a skipped one not at all."""
    skipped = metrics.get("skipped")
    if weight != 1:
        metrics = {name: value * weight for name, value in metrics.items()}
    if skipped is not None:
        kept = {name: jnp.where(skipped > 0, 0, value) for name, value in metrics.items()}
        metrics = kept | {"skipped": metrics["skipped"]}
    return jax.tree.map(jnp.add, sums, metrics)
