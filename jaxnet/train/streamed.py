"""Training on data that is sent batch by batch."""

import itertools
import math
import time
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.data import prefetch
from jaxnet.data.prefetch import Prefetch
from jaxnet.train.dispatch import SECONDS_A_DISPATCH, Done, Programs, unstack
from jaxnet.train.run import Run
from jaxnet.train.state import TrainState

# What is sent to the device at once.
_MOST_BATCHES, _MOST_BYTES = 64, 2**26


class Streamed:
    """Batches from the host, read ahead by a thread; where steps are short, several at once."""

    # Shapes vary, so that it is not known what was compiled before.
    compiled: tuple[str, ...] = ()

    def __init__(
        self, programs: Programs, batches: Any, state: TrainState, steps: int | None
    ) -> None:
        self.programs, self.batches = programs, batches
        try:
            self.length: float = len(batches)
        except TypeError:  # a stream of unknown length
            self.length = math.inf
        self._steps, self._fixed = steps or 1, steps is not None
        self._ahead: Prefetch | None = None
        self._place = 0, 0
        rest = iter(batches.epoch(0))
        first = next(rest, None)
        if first is None:
            raise ValueError("the data holds no batch: it is empty, or was used up before")
        # Some streams can be begun only once: what is begun here is gone on with.
        self._begun: Iterator[Any] | None = itertools.chain([first], rest)
        stack = jax.eval_shape(lambda: jax.tree.map(lambda x: jnp.asarray(x)[None], first))
        self.facts = programs.facts(unstack, state, stack)

    def advance(self, run: Run, limit: float) -> Done:
        """Train on some of the epoch's batches, at most ``limit``; on none at its end."""
        if self._ahead is None or self._place != (run.epoch, run.index):
            self.close()
            batches = self._begun if (run.epoch, run.index) == (0, 0) else None
            batches, self._begun = batches or self.batches.epoch(run.epoch, run.index), None
            if run.index + limit < self.length:
                batches = itertools.islice(batches, int(limit))
            self._ahead = prefetch(self._stacks(batches))
        group = next(self._ahead, None)
        if group is None:
            return Done(self.facts.table(0), np.zeros(0))
        stack, count = group
        shapes = [leaf.shape for leaf in jax.tree.leaves(stack)]
        table = self.facts.table(shapes[0][0])
        began = time.perf_counter()
        run.state, metrics = self.programs.streamed(run.state, table, stack, int(count))
        metrics = np.asarray(metrics)[:count]
        seconds = time.perf_counter() - began
        self._place = run.epoch, run.index + len(metrics)
        if not self._fixed and run.index > 2:
            # By now the time is that of a step alone.
            nbytes = sum(x.nbytes for x in jax.tree.leaves(stack))
            most = min(SECONDS_A_DISPATCH / seconds, _MOST_BYTES / nbytes, _MOST_BATCHES)
            self._steps, self._fixed = max(1, int(most)), True
        return Done(metrics, np.full(len(metrics), shapes[0][1]), seconds, str(shapes))

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
