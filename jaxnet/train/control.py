"""Callbacks that decide from the history alone, so that a resumed run decides as one never stopped.

Each is a function of the history of a metric: what it did before needs no memory of its own.
"""

from collections.abc import Sequence

from jaxnet.core.checks import check_at_least, check_choice, check_size
from jaxnet.core.errors import near
from jaxnet.train.event import Callback, Event, Rate, Stop


def early_stopping(
    metric: str = "val_loss", *, patience: int, mode: str = "min", min_delta: float = 0.0
) -> Callback:
    """Stop once ``metric`` has not improved by more than ``min_delta`` for ``patience`` epochs.

    Raises ValueError for a metric that the history does not have.

    >>> from jaxnet.train import History
    >>> stop = early_stopping("loss", patience=2)
    >>> history = History(loss=[0.5, 0.7, 0.6])
    >>> stop(Event(kind="epoch", step=30, epoch=3, metrics={}, history=history, state=None))
    Stop(reason='loss has not improved on 0.5 of epoch 1 for 2 epochs')
    """
    check_size(patience, "patience")
    better = _better(mode, min_delta, "early_stopping")

    def callback(event: Event) -> Stop | None:
        values = _values(event, metric)
        best = 0
        for epoch, value in enumerate(values):
            if better(value, values[best]):
                best = epoch
        if not values or len(values) - 1 - best < patience:
            return None
        return Stop(
            f"{metric} has not improved on {values[best]:.4g} of epoch {best + 1} "
            f"for {patience} epochs"
        )

    return callback


def reduce_on_plateau(
    metric: str = "val_loss",
    *,
    patience: int = 10,
    factor: float = 0.1,
    mode: str = "min",
    min_delta: float = 0.0,
    cooldown: int = 0,
    least: float = 0.0,
) -> Callback:
    """Multiply the updates by ``factor`` whenever ``metric`` has not improved for more epochs.

    As PyTorch's ReduceLROnPlateau does: after ``patience`` epochs without an improvement by more
    than ``min_delta`` the next one reduces; ``cooldown`` epochs after a reduction are not counted.
    The product of the factors stays at least ``least``. The state must have been made with
    ``TrainState.create(..., rate=True)``.
    Raises ValueError for a factor that is not between 0 and 1.

    >>> from jaxnet.train import History
    >>> reduce = reduce_on_plateau("loss", patience=1, factor=0.5)
    >>> history = History(loss=[0.5, 0.7, 0.6])
    >>> reduce(Event(kind="epoch", step=30, epoch=3, metrics={}, history=history, state=None))
    Rate(factor=0.5)
    """
    check_size(patience, "patience", least=0)
    check_size(cooldown, "cooldown", least=0)
    check_at_least(least, 0, "least")
    if not 0 < factor < 1:
        raise ValueError(f"factor must be above 0 and below 1, as in 0.1, but is {factor}")
    better = _better(mode, min_delta, "reduce_on_plateau")

    def callback(event: Event) -> Rate | None:
        values = _values(event, metric)
        rate, bad, resting = 1.0, 0, 0
        best = values[0] if values else 0.0
        for value in values[1:]:
            if better(value, best):
                best, bad = value, 0
            else:
                bad += 1
            if resting:
                resting, bad = resting - 1, 0
            if bad > patience:
                rate, bad, resting = max(rate * factor, least), 0, cooldown
        return Rate(rate) if values else None

    return callback


def _values(event: Event, metric: str) -> Sequence[float]:
    """The metric's history where there is something new to decide."""
    if event.kind not in ("start", "epoch") or not event.history:
        return ()
    if metric not in event.history:
        raise ValueError(
            f"the history has no metric {metric!r}; {near(metric, event.history)} "
            "A name with val_ needs validation_data or validation_split."
        )
    return event.history[metric]


def _better(mode: str, min_delta: float, what: str):
    check_choice(mode, ("min", "max"), "mode", what)
    check_at_least(min_delta, 0, "min_delta")
    sign = 1 if mode == "min" else -1
    # A NaN is never better, and anything is better than a NaN.
    return lambda value, best: (
        value == value and (best != best or sign * value < sign * best - min_delta)
    )
