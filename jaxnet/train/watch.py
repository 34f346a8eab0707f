"""When a loss is no longer finite: the step is found again, and what broke in it is named.

While all is finite this costs nothing but a copy of the state now and then, at most a hundredth of
the time. From it the steps are repeated one by one: they are functions of state, batch and key.
"""

import math
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet import analysis
from jaxnet.core.errors import describe
from jaxnet.train.accumulate import divided
from jaxnet.train.objective import LossFn, scored
from jaxnet.train.precision import Precision
from jaxnet.train.run import Run
from jaxnet.train.snapshot import copies
from jaxnet.train.state import TrainState
from jaxnet.train.step import Step, keys_of

_SHARE = 0.01


class Watch:
    """Keeps a copy of the state on the host, and explains a loss that is not finite."""

    def __init__(
        self,
        loss_fn: LossFn,
        step: Step,
        batches: Any,
        precision: Precision | None,
        accumulate: int,
    ) -> None:
        self.loss_fn, self.step, self.batches = loss_fn, step, batches
        self.precision, self.accumulate = precision, accumulate
        # A process that has but a part of the state cannot repeat a step.
        self._next = -math.inf if jax.process_count() == 1 else math.inf
        self._kept: TrainState | None = None

    def keep(self, run: Run) -> None:
        """Copy the state, if the last copy is old enough."""
        began = time.monotonic()
        if began < self._next:
            return
        leaves, structure = jax.tree.flatten(run.state)
        copy = structure.unflatten(copies(leaves))
        # A loss may still be finite while the parameters for the next one are not.
        if self._kept is None or _finite(copy.params):
            self._kept = copy
            self._epoch, self._index = run.epoch, run.index
            self._next = began + (time.monotonic() - began) / _SHARE

    def check(self, run: Run, means: dict[str, float]) -> None:
        """Raise if the mean loss is not finite, saying where that began and what may help."""
        if math.isfinite(means["loss"]) or "skipped" in means:
            return
        message = f"the loss became {means['loss']} in epoch {run.epoch + 1}"
        try:
            found = self._found(run.step)
        except ValueError as error:  # a stream that cannot go back
            raise ValueError(f"{message}; {_ADVICE}. The step was not found: {error}") from error
        if found is None:
            raise ValueError(f"{message}; {_ADVICE} (repeating the steps did not show more)")
        state, batch = found
        raise ValueError(f"{message}, at step {state.step}; {self._cause(state, batch)}")

    def _found(self, until: int) -> tuple[TrainState, Any] | None:
        """The state and the batch of the first step that was not finite."""
        if self._kept is None:
            return None
        state, epoch, index = self._kept, self._epoch, self._index
        while True:
            for batch in self.batches.epoch(epoch, index):
                if state.step >= until:
                    return None
                after, metrics = self.step(state, batch)
                if not _finite((after.params, metrics["loss"])):
                    return state, batch
                state = after
            epoch, index = epoch + 1, 0

    def _cause(self, state: TrainState, batch: Any) -> str:
        broken = [describe(x) for x in jax.tree.leaves(batch) if not _finite(x)]
        if broken:
            return (
                f"the data holds values that are not finite, in {', '.join(broken)}: clean it first"
            )
        key, _ = keys_of(state.key, state.step, self.precision)

        def loss_fn(params: Any, batch: Any, key: Any) -> Any:
            return scored(self.loss_fn, params, batch, key, self.precision)

        for part, own in self._parts(batch, key):
            finding = analysis.find_nonfinite(loss_fn, state.params, part, own)
            if finding is not None:
                return f"{_ADVICE}\n{finding}"
        return _ADVICE

    def _parts(self, batch: Any, key: jax.Array) -> list[tuple[Any, jax.Array]]:
        """What the loss function is called on in one step, as ``accumulate`` divides it."""
        if self.accumulate == 1:
            return [(batch, key)]
        parts = divided(batch, key, self.accumulate)
        return [jax.tree.map(lambda x: x[i], parts) for i in range(self.accumulate)]


_ADVICE = (
    "the data is finite, so try a learning rate ten times lower, or inputs scaled to mean 0 and "
    "variance 1"
)


def _finite(values: Any) -> bool:
    # On the host, where it need not be compiled.
    floats = [x for x in jax.tree.leaves(values) if jnp.issubdtype(x.dtype, jnp.inexact)]
    return all(np.isfinite(np.asarray(x)).all() for x in floats)
