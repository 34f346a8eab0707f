"""What ``fit`` tells a callback, and what a callback may ask of it.

A callback is any function of an ``Event``. It returns None, or an action that ``fit`` carries out
before the next step. It keeps what it needs in its own closure.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal

from jaxnet.core.checks import check_positive
from jaxnet.core.errors import describe
from jaxnet.train.history import History
from jaxnet.train.state import TrainState

type Kind = Literal["start", "steps", "epoch", "end"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """A moment of training.

    ``kind`` says which: ``"start"`` before the first step of this call of ``fit``, ``"steps"``
    after some steps, ``"epoch"`` after an epoch and its validation, ``"end"`` after the last.
    ``step`` counts batches and ``epoch`` complete epochs, both since the state was created, so
    that in a resumed run they go on from where it stopped. ``metrics`` are the means over the
    epoch so far (``"steps"``) or over all of it, with ``val_…`` (``"epoch"``), and ``history`` is
    that of the run so far. ``rates`` holds ``"examples/s"`` and the like, without
    compilation, where known. ``state`` is valid during the call only: the next step consumes it.
    """

    kind: Kind
    step: int
    epoch: int
    metrics: Mapping[str, float]
    history: History
    state: TrainState
    rates: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Stop:
    """Asks ``fit`` to end here; the reason is what it tells the user.

    >>> stop_at = lambda goal: lambda event: (
    ...     Stop(f"loss below {goal}") if event.metrics.get("loss", goal) < goal else None
    ... )
    """

    reason: str

    def __post_init__(self) -> None:
        if not isinstance(self.reason, str) or not self.reason:
            raise ValueError(
                f"Stop needs its reason in words, which fit shows, but was given "
                f"{describe(self.reason)}; write Stop('no progress for 5 epochs')"
            )


@dataclasses.dataclass(frozen=True)
class Rate:
    """Asks ``fit`` to multiply the optimizer's updates by ``factor``, from the next step on.

    It holds until another is asked for; 1 is what the optimizer says.

    Raises ValueError unless the factor is a number above 0.
    """

    factor: float

    def __post_init__(self) -> None:
        check_positive(self.factor, "the factor of Rate")


type Callback = Callable[[Event], Stop | Rate | None]
