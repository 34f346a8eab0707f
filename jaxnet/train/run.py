"""What a training carries from step to step, which is all that a checkpoint has to hold."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.train.history import History, Mode
from jaxnet.train.state import TrainState
from jaxnet.train.step import Metrics


@dataclasses.dataclass
class Run:
    """A training under way: its arrays are ``tree``, the rest is ``info``.

    ``epoch`` and ``index`` are the place in the data, ``seen`` the examples of the epoch so far,
    whose metrics are added up in ``sums``; ``seconds`` is the time spent. ``best`` holds the
    parameters after the epoch that was best so far, where that is asked for.
    """

    state: TrainState
    sums: Metrics
    step: int
    epoch: int
    index: int
    seen: int = 0
    seconds: float = 0.0
    history: History = dataclasses.field(default_factory=History)
    best: Any = None

    def __post_init__(self) -> None:
        self.began = self.step

    @classmethod
    def at(cls, state: TrainState, sums: Metrics, length: float) -> "Run":
        """The run that a state begins, where an epoch has ``length`` batches, if that is known."""
        step = int(state.step)
        epoch, index = (0, 0) if math.isinf(length) else divmod(step, int(length))
        return cls(state, sums, step, epoch, index)

    @property
    def tree(self) -> dict[str, Any]:
        """Its arrays."""
        tree = {"state": self.state, "sums": self.sums}
        return tree if self.best is None else tree | {"best": self.best}

    @property
    def info(self) -> dict[str, Any]:
        """Everything else, as JSON has it."""
        names = "began", "step", "epoch", "index", "seen", "seconds", "history"
        return {name: getattr(self, name) for name in names}

    def take(self, tree: Mapping[str, Any], info: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        if info["began"] != self.began:
            raise ValueError(
                f"the run in this folder began at step {info['began']}, but the state given is at "
                f"step {self.began}; give the state that the run began with (it goes on from its "
                "last checkpoint by itself), or another folder"
            )
        for name, value in {**tree, **info}.items():
            setattr(self, name, value)
        self.history = History(info["history"])

    def advance(self, batches: int, examples: int) -> None:
        """Some batches of the epoch are through."""
        self.step += batches
        self.index += batches
        self.seen += examples

    def end_epoch(self, means: Mapping[str, float]) -> None:
        """The epoch is over, with these means."""
        self.history.append(means)
        self.sums = jax.tree.map(jnp.zeros_like, self.sums)
        self.epoch, self.index, self.seen = self.epoch + 1, 0, 0

    def keep_best(self, metric: str, mode: Mode) -> None:
        """Copy the parameters if the last epoch was the best so far by a metric."""
        if self.history.best(metric, mode=mode)[0] == len(self.history[metric]):
            self.copy_best()

    def copy_best(self) -> None:
        """Keep these parameters as the best ones, since a step would consume them."""
        best = {"params": self.state.params, "extra": self.state.extra}
        self.best = jax.tree.map(jnp.copy, best)

    def result(self, means: Mapping[str, float]) -> tuple[TrainState, History]:
        """The state, with the best parameters if those were kept, and the history.

        An epoch that was not finished is in that, too, with its ``means``, if it has any.
        """
        state, history = self.state, History({name: [*x] for name, x in self.history.items()})
        if means:
            history.append(means)
        if self.best is not None:
            state = dataclasses.replace(state, **self.best)
        return state, history
