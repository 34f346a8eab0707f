"""What a training carries from step to step, which is all that a checkpoint has to hold."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.train.history import History, Mode
from jaxnet.train.state import TrainState


@dataclasses.dataclass
class Run:
    """A training under way: its arrays are ``tree``, the rest is ``info``.

    ``epoch`` and ``index`` are the place in the data, ``seen`` the examples of the epoch so far,
    over which ``sums`` adds up each metric; ``seconds`` is the time spent. ``best`` holds the
    parameters after the epoch that was best so far, where that is asked for.
    """

    state: TrainState
    step: int
    epoch: int
    index: int
    seen: int = 0
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    history: History = dataclasses.field(default_factory=History)
    best: Any = None

    def __post_init__(self) -> None:
        self.began = self.step

    @classmethod
    def at(cls, state: TrainState, length: float) -> "Run":
        """The run that a state begins, where an epoch has ``length`` batches, if that is known."""
        step = int(np.asarray(state.clock)[0])  # to read state.step is to compile that
        epoch, index = (0, 0) if math.isinf(length) else divmod(step, int(length))
        return cls(state, step, epoch, index)

    @property
    def tree(self) -> dict[str, Any]:
        """Its arrays."""
        tree = {"state": self.state}
        return tree if self.best is None else tree | {"best": self.best}

    @property
    def info(self) -> dict[str, Any]:
        """Everything else, as JSON has it."""
        names = "began", "step", "epoch", "index", "seen", "sums", "seconds", "history"
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

    def advance(self, names: Sequence[str], metrics: np.ndarray, sizes: np.ndarray) -> None:
        """Some batches of the epoch are through: their metrics ``[n, k]`` and sizes ``[n]``."""
        self.step += len(sizes)
        self.index += len(sizes)
        self.seen += int(sizes.sum())
        values = metrics.astype(np.float64)
        if "skipped" in names:
            # A step that was skipped has no other metrics.
            kept = values[:, [names.index("skipped")]] == 0
            values = np.where(kept | (np.array(names) == "skipped"), values, 0)
        before = np.array([[self.sums.get(name, 0.0) for name in names]])
        # One after the other, so that it does not matter how the steps are cut.
        sums = np.concatenate([before, values * sizes[:, None]]).cumsum(axis=0)[-1]
        self.sums = dict(zip(names, sums.tolist(), strict=True))

    def means(self) -> dict[str, float]:
        """The metrics' means over the examples seen, the loss first."""
        counted = self.seen - self.sums.get("skipped", 0.0)
        weights = {name: self.seen if name == "skipped" else counted for name in self.sums}
        return {
            name: self.sums[name] / weights[name] if weights[name] else math.nan
            for name in sorted(self.sums, key=lambda name: name != "loss")
        }

    def end_epoch(self, means: Mapping[str, float]) -> None:
        """The epoch is over, with these means."""
        self.history.append(means)
        self.epoch, self.index, self.seen, self.sums = self.epoch + 1, 0, 0, {}

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
