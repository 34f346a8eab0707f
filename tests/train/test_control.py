"""When training ends, what callbacks are told, and what they may ask for."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnet.train import (
    Event,
    History,
    Rate,
    Stop,
    TrainState,
    early_stopping,
    fit,
    reduce_on_plateau,
)

x = np.linspace(-1, 1, 40).astype(np.float32)
tx = optax.sgd(0.1)


def loss_fn(params, batch, key):
    return jnp.square(params["w"] * batch - 3 * batch).mean()


def create(**options):
    return TrainState.create({"w": jnp.zeros(())}, tx, jax.random.key(0), **options)


def quiet(state=None, **options):
    state = create() if state is None else state
    return fit(loss_fn, tx, state, x, **{"batch_size": 8, "progress": False, **options})


def told(history, kind: Any = "epoch", metric="val_loss"):
    state: TrainState = create()
    return Event(
        kind=kind, step=0, epoch=0, metrics={}, history=History({metric: history}), state=state
    )


def test_training_ends_after_so_many_steps_and_goes_on_from_there():
    state, history = quiet(steps=7)
    assert int(state.step) == 7 and len(history["loss"]) == 2
    whole, _ = quiet(epochs=2)
    rest, _ = quiet(state, steps=3)
    chex.assert_trees_all_equal(rest.params, whole.params)


def test_training_ends_at_whatever_comes_first():
    assert int(quiet(steps=100, epochs=2)[0].step) == 10
    assert int(quiet(steps=3, epochs=2)[0].step) == 3
    state, _ = quiet(seconds=0.2, epochs=10**9)
    assert 5 <= int(state.step) < 10**9


def test_events_are_told_in_order_with_what_is_true_then():
    events = []
    _, history = quiet(epochs=2, validation_data=x, callbacks=[events.append], steps_per_dispatch=4)
    kinds = " ".join(event.kind for event in events)
    assert kinds == "start steps epoch steps epoch end"
    assert [event.step for event in events] == [0, 4, 5, 9, 10, 10]
    assert [event.epoch for event in events] == [0, 0, 1, 1, 2, 2]
    epoch = events[2]
    assert epoch.metrics.keys() == {"loss", "val_loss"}
    assert epoch.metrics["loss"] == history["loss"][0]
    assert events[-1].rates["examples/s"] > 0


def test_a_callback_stops_training(capsys):
    stop = lambda event: Stop("far enough") if event.step >= 8 else None
    state, history = quiet(epochs=9, callbacks=[stop], steps_per_dispatch=4, progress=True)
    assert int(state.step) == 9 and len(history["loss"]) == 2
    assert "far enough; returning what was learnt" in capsys.readouterr().out


def test_a_callback_changes_the_rate():
    still = lambda event: Rate(1e-30)
    state, _ = quiet(create(rate=True), epochs=1, callbacks=[still])
    assert abs(float(state.params["w"])) < 1e-20
    with pytest.raises(ValueError, match=r"state has none; .*TrainState.create\(..., rate=True\)"):
        quiet(epochs=1, callbacks=[still])


def test_a_callback_returns_an_action_or_nothing():
    with pytest.raises(ValueError, match=r"None, Stop\(reason\) or Rate.*but odd returned 1.0"):

        def odd(event):
            return 1.0

        quiet(epochs=1, callbacks=[odd])


def test_early_stopping_waits_for_patience():
    stop = early_stopping(patience=2)
    assert stop(told([1.0, 2.0])) is None and stop(told([])) is None
    action = stop(told([1.0, 2.0, 3.0]))
    assert isinstance(action, Stop) and "not improved on 1 of epoch 1 for 2" in action.reason
    assert stop(told([1.0, 2.0, 0.5])) is None
    assert stop(told([1.0, 2.0, 3.0], kind="steps")) is None
    greater = early_stopping("acc", patience=2, mode="max")
    assert greater(told([1.0, 2.0, 3.0], metric="acc")) is None
    assert early_stopping(patience=2, min_delta=0.6)(told([1.0, 0.9, 0.5])) is not None
    assert stop(told([float("nan"), 1.0, 2.0])) is None


def test_a_stopped_run_stays_stopped(tmp_path):
    options = {"validation_data": x, "callbacks": [early_stopping("loss", patience=1, mode="max")]}
    first, history = quiet(epochs=9, folder=tmp_path / "run", **options)
    again, same = quiet(epochs=9, folder=tmp_path / "run", **options)
    assert int(first.step) == int(again.step) == 10 and history == same


def by_hand(values, patience, factor, cooldown, least):
    """PyTorch's ReduceLROnPlateau, as its documentation describes it, epoch by epoch."""
    rate, best, bad, cool = 1.0, float("inf"), 0, 0
    for value in values:
        if value < best:
            best, bad = value, 0
        else:
            bad += 1
        if cool > 0:
            cool, bad = cool - 1, 0
        if bad > patience:
            rate, cool, bad = max(rate * factor, least), cooldown, 0
    return rate


@given(st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=30), st.integers(0, 3),
       st.integers(0, 3))  # fmt: skip
def test_reduce_on_plateau_follows_pytorch(values, patience, cooldown):
    reduce = reduce_on_plateau(patience=patience, factor=0.5, cooldown=cooldown, least=0.1)
    assert reduce(told(values)) == Rate(by_hand(values, patience, 0.5, cooldown, 0.1))


def test_the_best_epoch_is_returned():
    at = []

    def note(event):
        if event.kind == "epoch":
            at.append(float(event.state.params["w"]))

    state, history = quiet(epochs=4, best="loss", mode="max", callbacks=[note])
    assert history.best("loss", mode="max")[0] == 1
    assert float(state.params["w"]) == at[0] != at[-1] and int(state.step) == 20
    with pytest.raises(ValueError, match="no metric 'val_loss'; did you mean 'loss'"):
        quiet(epochs=1, best="val_loss")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "fit needs an end: give it epochs, steps or seconds"),
        ({"steps": 0}, "steps must be an int of at least 1, but is 0"),
        ({"seconds": -1.0}, "seconds must be a number above 0, but is -1.0"),
        ({"epochs": 1, "mode": "most"}, "fit has no mode='most'"),
        ({"epochs": 1, "save_seconds": -1}, "save_seconds must be a number of at least 0"),
        ({"epochs": 1, "steps_per_dispatch": 0}, "steps_per_dispatch must be an int of at least 1"),
        ({"epochs": 1, "config": {"lr": 1}}, "config is written into the folder"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(ValueError, match=message):
        quiet(**options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: early_stopping(patience=0), "patience must be an int of at least 1"),
        (lambda: early_stopping(patience=1, mode="best"), "early_stopping has no mode='best'"),
        (
            lambda: early_stopping(patience=1, min_delta=-1),
            "min_delta must be a number of at least",
        ),
        (lambda: reduce_on_plateau(factor=2.0), "factor must be above 0 and below 1"),
        (lambda: reduce_on_plateau(cooldown=-1), "cooldown must be an int of at least 0"),
        (lambda: early_stopping("acc", patience=1)(told([1.0])), "no metric 'acc'"),
    ],
)
def test_mistakes_of_callbacks(make, message):
    with pytest.raises(ValueError, match=message):
        make()
