"""The loop of ``fit``: dispatches of steps, and between them validation, callbacks, checkpoints."""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

import jax.numpy as jnp

from jaxnet.core.checks import check_positive, check_size
from jaxnet.core.errors import describe
from jaxnet.train.event import Callback, Event, Kind, Rate, Stop
from jaxnet.train.history import Mode
from jaxnet.train.interrupt import Interrupt
from jaxnet.train.progress import Progress
from jaxnet.train.rates import Rates
from jaxnet.train.resident import Resident
from jaxnet.train.resume import Keeper
from jaxnet.train.run import Run
from jaxnet.train.state import TrainState
from jaxnet.train.streamed import Streamed
from jaxnet.train.watch import Watch


@dataclasses.dataclass(frozen=True)
class Goal:
    """Where training ends: at an epoch, a step or after some seconds, whichever comes first."""

    epoch: float
    step: float
    seconds: float

    @classmethod
    def after(
        cls, run: Run, epochs: int | None, steps: int | None, seconds: float | None
    ) -> "Goal":
        """So much more than a run has behind it."""
        if epochs is None and steps is None and seconds is None:
            raise ValueError("fit needs an end: give it epochs, steps or seconds")
        if epochs is not None:
            check_size(epochs, "epochs")
        if steps is not None:
            check_size(steps, "steps")
        if seconds is not None:
            check_positive(seconds, "seconds")
        return cls(
            math.inf if epochs is None else run.epoch + epochs,
            math.inf if steps is None else run.step + steps,
            math.inf if seconds is None else seconds,
        )

    def steps(self, run: Run, length: float) -> float:
        """How many steps a run is from it, where an epoch has ``length`` batches."""
        rest = math.inf if math.isinf(self.epoch) else (self.epoch - run.epoch) * length - run.index
        return min(rest, self.step - run.step)

    def share(self, run: Run, length: float) -> float:
        """How near a run is, from 0 to 1, where an epoch has ``length`` batches."""
        epochs = run.epoch + run.index / length
        return min(1.0, max(epochs / self.epoch, run.step / self.step, run.seconds / self.seconds))


@dataclasses.dataclass
class Loop:
    """One training: what is carried, what moves it, and who is told."""

    run: Run
    goal: Goal
    engine: Resident | Streamed
    watch: Watch
    display: Progress
    keeper: Keeper | None
    callbacks: Sequence[Callback]
    validate: Callable[[TrainState], dict[str, float]] | None
    best: tuple[str, Mode] | None

    def __post_init__(self) -> None:
        self.rates = Rates(self.engine.compiled)
        self.ending = ""

    def go(self, interrupt: Interrupt) -> dict[str, float]:
        """Train to the goal, or until a callback or Ctrl-C ends it; the means of a begun epoch."""
        run, means = self.run, {}
        self.tell("start", {})
        self.watch.keep(run)
        while not self.ending and self.goal.share(run, self.engine.length) < 1:
            began = time.perf_counter()
            means = self.advance()
            run.seconds += time.perf_counter() - began
            if interrupt.asked:
                self.ending = f"stopped by Ctrl-C in epoch {run.epoch + 1}"
            self.watch.keep(run)
            if self.keeper:
                self.keeper.save(run, at_once=False)
        self.tell("end", means)
        if self.keeper:
            self.keeper.save(run, at_once=True)
        if self.ending:
            self.display.note(f"{self.ending}; returning what was learnt")
        return means

    def advance(self) -> dict[str, float]:
        """One dispatch and what follows from it; the means of the epoch so far, if it goes on."""
        run, engine, means = self.run, self.engine, {}
        done = engine.advance(run, self.goal.steps(run, engine.length))
        examples = int(done.sizes.sum())
        counts = {"examples": examples, "steps": len(done.sizes)}
        counts |= {name: n * examples for name, n in engine.facts.per_example.items()}
        self.rates.add(done.program, done.seconds, counts)
        for metrics, sizes in done.epochs(run.index, engine.length):
            run.advance(engine.facts.names, metrics, sizes)
            if not run.seen:
                raise ValueError(f"the data gave no batch in epoch {run.epoch + 1}; is it used up?")
            means = run.means()
            self.watch.check(run, means)
            if len(sizes) and run.index < engine.length:
                self.show(self.display.advance, run.epoch + 1, means)
                self.tell("steps", means)
            else:
                self.end_epoch(means)
                means = {}
        return means

    def end_epoch(self, means: dict[str, float]) -> None:
        """What follows from an epoch, but for its steps."""
        run = self.run
        if self.validate:
            means |= {f"val_{name}": x for name, x in self.validate(run.state).items()}
        run.end_epoch(means)
        if self.best:
            run.keep_best(*self.best)
        self.show(self.display.end_epoch, run.epoch, means)
        self.tell("epoch", means)

    def show(self, draw: Callable[..., None], epoch: int, means: dict[str, float]) -> None:
        """Draw where in an epoch training is, if anything is displayed."""
        if not self.display.enabled:
            return
        last, label = self.goal.epoch, f"epoch {epoch}"
        if math.isfinite(last):
            label = f"epoch {epoch:>{len(str(last))}}/{last}"
        share = self.goal.share(self.run, self.engine.length)
        draw(label, share, means, self.rates.total())

    def tell(self, kind: Kind, means: dict[str, float]) -> None:
        """Call the callbacks, and do what they ask."""
        run = self.run
        for callback in self.callbacks:
            action = callback(
                Event(
                    kind=kind,
                    step=run.step,
                    epoch=run.epoch,
                    metrics=means,
                    history=run.history,
                    state=run.state,
                    rates=self.rates.total(),
                )
            )
            if isinstance(action, Stop):
                self.ending = self.ending or action.reason
            elif isinstance(action, Rate):
                self.rate(action.factor)
            elif action is not None:
                raise ValueError(
                    "a callback returns None, Stop(reason) or Rate(factor), but "
                    f"{getattr(callback, '__name__', callback)} returned {describe(action)}"
                )

    def rate(self, factor: float) -> None:
        """Multiply the updates from now on."""
        state = self.run.state
        if "rate" not in state.extra:
            raise ValueError(
                "a callback changes the rate, but the state has none; make the state with "
                "TrainState.create(..., rate=True)"
            )
        extra = state.extra | {"rate": jnp.asarray(factor, jnp.float32)}
        self.run.state = dataclasses.replace(state, extra=extra)
