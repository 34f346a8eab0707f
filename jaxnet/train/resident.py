"""Training on data that is kept on the device: what is sent is which examples make the batches."""

import math
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.data import Batches
from jaxnet.train.dispatch import SECONDS_A_DISPATCH, Done, Programs
from jaxnet.train.run import Run
from jaxnet.train.state import TrainState

# The table that a dispatch is sent has a size that depends on the batches alone, or it would
# compile again for another number of steps.
_MOST_EXAMPLES, _MOST_BATCHES = 2**16, 2**13
# The device waits for the first stretch, as it does for no other.
_SHORTER_FIRST = 4
_NAME = "on the device"


class _Tables(NamedTuple):
    """Batches in a row: their examples, transforms' keys, pads' weights, and which are short."""

    order: Any
    words: Any
    weights: Any
    short: Any


class Resident:
    """A dispatch is a stretch of batches, beyond the end of an epoch if it may be ``across``."""

    def __init__(
        self,
        programs: Programs,
        batches: Batches,
        state: TrainState,
        steps: int | None,
        *,
        across: bool,
    ) -> None:
        self.programs, self.batches, self.length = programs, batches, len(batches)
        self._steps, self._across, self._size = steps, across, common_size(batches)
        self._rows = min(max(_MOST_EXAMPLES // self._size, 1), _MOST_BATCHES)
        self._data = jax.tree.map(jnp.asarray, batches.arrays)
        self._ahead: tuple[tuple[int, int], _Tables, np.ndarray] | None = None
        words, weights = np.empty((self._rows, 2), np.uint32), None
        if batches.remainder == "pad":
            weights = np.empty((self._rows, self._size), np.float32)
        source = self._data, np.empty((self._rows, self._size), np.int32), words, weights
        self.facts = programs.facts(programs.gather, state, source)
        self.compiled = () if self.facts.pace is None else (_NAME,)
        self._table = self.facts.table(self._rows)

    def advance(self, run: Run, limit: float) -> Done:
        """Train on some batches from where a run is, at most ``limit``."""
        began, first = time.perf_counter(), run.epoch * self.length + run.index
        count = self._count(first, limit)
        if self._ahead is None or self._ahead[0] != (first, count):
            self._ahead = (first, count), *self._stretch(first, count)
        _, (*source, short), sizes = self._ahead
        run.state, metrics = self.programs.resident(
            run.state, self._table, (self._data, *source), short, count
        )
        # The device is at work meanwhile.
        first, limit = first + count, limit - count
        if limit:
            count = self._count(first, limit)
            tables, own = self._stretch(first, count)
            self._ahead = (first, count), jax.device_put(tables), own
        metrics = np.asarray(metrics)[: len(sizes)]
        seconds = time.perf_counter() - began
        # The first call compiles.
        compiled = self.facts.pace is not None
        self.facts.pace = seconds / len(sizes) if compiled else SECONDS_A_DISPATCH
        return Done(metrics, sizes, seconds, _NAME)

    def _count(self, first: int, limit: float) -> int:
        """How many batches to send at once."""
        steps = self._steps or int(SECONDS_A_DISPATCH / (self.facts.pace or SECONDS_A_DISPATCH))
        left = math.inf if self._across else self.length - first % self.length
        rows = self._rows if self._ahead else -(-self._rows // _SHORTER_FIRST)
        return int(min(max(steps, 1), rows, limit, left))

    def _stretch(self, first: int, count: int) -> tuple[_Tables, np.ndarray]:
        """Batches ``first`` to ``first + count`` of all, in tables of one size; and their sizes."""
        batches, size = self.batches, self._size
        numbers, words = batches.stretch(first, first + count), None
        if batches.transform is not None:
            words = self._filled(batches.stretch_keys(first, first + count))
        index = np.arange(first, first + count) % self.length
        short = index == self.length - 1
        last = batches.size - (self.length - 1) * size
        sizes, whole = np.where(short, last, size), np.arange(size)
        # A smaller batch is filled with its first examples again.
        places = np.where(short[:, None], whole % last, whole) + (sizes.cumsum() - sizes)[:, None]
        weights = None
        if batches.remainder == "pad":
            weights = self._filled((np.arange(size) < sizes[:, None]).astype(np.float32))
            sizes = np.full(count, size)
        order = self._filled(numbers[places].astype(np.int32))
        return _Tables(order, words, weights, self._filled(short)), sizes

    def _filled(self, table: np.ndarray) -> np.ndarray:
        whole = np.zeros((self._rows, *table.shape[1:]), table.dtype)
        whole[: len(table)] = table
        return whole

    def close(self) -> None:
        """Nothing is open."""


def common_size(batches: Batches) -> int:
    """The examples of a batch that is not a smaller one at the end of an epoch."""
    return (
        batches.batch_size if batches.remainder == "pad" else min(batches.batch_size, batches.size)
    )


def rest(batches: Batches) -> int:
    """The examples of the smaller batch that epochs end in, or 0."""
    return 0 if batches.remainder == "pad" else batches.size % common_size(batches)
