import functools
import itertools
import re
import signal
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet as jn
from jaxnet import nn
from jaxnet.train import TrainState, evaluate, fit, predict, train_step
from jaxnet.train.interrupt import Interrupt

key = jax.random.key(0)
rng = np.random.default_rng(0)
x = rng.standard_normal((103, 3)).astype(np.float32)
y = x @ np.array([[1.0], [-2.0], [0.5]], np.float32)
net = nn.Sequential(nn.Linear(8), nn.tanh, nn.Dropout(0.1), nn.Linear(1))
tx = optax.adam(0.01)


def loss_fn(params, batch, key):
    x, y = batch
    error = net(params, x, key=key) - y
    return jnp.square(error).mean(), {"distance": abs(error).mean()}


def create(seed=0):
    return TrainState.create(net.init(key, x), tx, jax.random.key(seed))


def quiet(state, data=(x, y), **options):
    return fit(loss_fn, tx, state, data, progress=False, **{"epochs": 3, **options})


def test_fit_is_the_step_over_batches():
    state, history = quiet(create(), epochs=2, batch_size=25, shuffle=False)
    step, by_hand, losses = train_step(loss_fn, tx), create(), []
    for _ in range(2):
        sums = 0.0
        for start in range(0, 103, 25):
            batch = x[start : start + 25], y[start : start + 25]
            by_hand, metrics = step(by_hand, batch)
            sums += float(metrics["loss"]) * len(batch[0])
        losses.append(sums / 103)
    chex.assert_trees_all_close(state.params, by_hand.params, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-5)
    assert int(state.step) == 10 and set(history) == {"loss", "distance"}


def test_every_epoch_sees_every_example_once_in_another_order():
    seen = []

    def loss_fn(params, batch, key):
        jax.debug.callback(lambda rows: seen.append(np.asarray(rows)), batch, ordered=True)
        return params["w"] ** 2

    state = TrainState.create({"w": jnp.ones(())}, tx, key)
    state, _ = fit(loss_fn, tx, state, np.arange(23), epochs=2, batch_size=5, progress=False)
    jax.effects_barrier()
    assert [len(rows) for rows in seen] == [5, 5, 5, 5, 3] * 2
    first, second = np.concatenate(seen[:5]), np.concatenate(seen[5:])
    assert sorted(first) == sorted(second) == list(range(23))
    assert list(first) != list(second) != sorted(second)


def test_two_calls_continue_what_one_would_do():
    whole, history = quiet(create(), epochs=4)
    half, first = quiet(create(), epochs=2)
    both, second = quiet(half, epochs=2)
    chex.assert_trees_all_equal(whole.params, both.params)
    assert history["loss"] == first["loss"] + second["loss"]
    other, _ = quiet(create(seed=1), epochs=4)
    assert not np.allclose(other.params["0"]["kernel"], whole.params["0"]["kernel"])


@pytest.mark.parametrize("steps", [1, 3, 100])
@pytest.mark.parametrize("stream", [False, True])
def test_the_length_of_a_dispatch_changes_nothing(steps, stream):
    whole = quiet(create(), batch_size=10, stream=stream)
    cut = quiet(create(), batch_size=10, stream=stream, steps_per_dispatch=steps)
    chex.assert_trees_all_equal(whole[0], cut[0])
    assert whole[1] == cut[1]


@pytest.mark.parametrize("batch_size", [10, 103, 200])
def test_who_looks_on_after_each_epoch_changes_nothing(batch_size):
    """Unwatched, a dispatch goes on into the next epoch."""
    across = quiet(create(), batch_size=batch_size)
    by_epoch = quiet(create(), batch_size=batch_size, callbacks=[lambda event: None])
    chex.assert_trees_all_equal(across[0], by_epoch[0])
    assert across[1] == by_epoch[1]


@pytest.mark.parametrize("at_once", [0, 3 * 160, 4 * 160])
def test_how_many_batches_are_gathered_at_once_changes_nothing(monkeypatch, at_once):
    whole = quiet(create(), batch_size=10)
    # Seven batches a dispatch, which no three or four of them divide.
    monkeypatch.setattr("jaxnet.train.resident._MOST_EXAMPLES", 70)
    monkeypatch.setattr("jaxnet.train.dispatch._GATHERED_BYTES", at_once)
    new_loss = functools.partial(loss_fn)  # or it would be the program that is compiled already
    state, history = fit(new_loss, tx, create(), (x, y), epochs=3, batch_size=10, progress=False)
    chex.assert_trees_all_equal(whole[0], state)
    assert whole[1] == history


@pytest.mark.parametrize("remainder", ["keep", "drop", "pad"])
def test_a_transform_and_pads_are_the_same_on_the_device_and_streamed(remainder):
    def loss_fn(params, batch, key):
        rows, weights = batch if remainder == "pad" else (batch, jnp.ones(len(batch)))
        return (jnp.square(params["w"][None] - rows).mean(-1) * weights).sum() / weights.sum()

    def noisy(rows, key):
        return rows + jax.random.normal(key, rows.shape)

    batches = jn.data.Batches(x, 20, seed=1, remainder=remainder, transform=noisy)
    found = []
    for stream in (False, True):
        state = TrainState.create({"w": jnp.zeros(3)}, tx, key)
        state, history = fit(loss_fn, tx, state, batches, epochs=3, stream=stream, progress=False)
        found.append((state.params, dict(history)))
    chex.assert_trees_all_close(*found, rtol=1e-5)


def test_a_call_that_is_warm_is_one_dispatch(monkeypatch):
    quiet(create(), epochs=30)
    stretches, stretch = [], jn.data.Batches.stretch
    monkeypatch.setattr(
        jn.data.Batches, "stretch",
        lambda self, *span: stretches.append(span) or stretch(self, *span),
    )  # fmt: skip
    quiet(create(), epochs=6)
    assert stretches[-1] == (0, 24)


def test_streaming_trains_as_data_on_the_device_does():
    resident, history = quiet(create(), validation_data=(x, y))
    streamed, same = quiet(create(), validation_data=(x, y), stream=True)
    chex.assert_trees_all_close(resident.params, streamed.params, rtol=1e-5)
    chex.assert_trees_all_close(dict(history), dict(same), rtol=1e-5)


def test_refitting_does_not_compile_again():
    counted: Any = chex.assert_max_traces(loss_fn, n=4)
    for _ in range(2):
        fit(counted, tx, create(), (x, y), epochs=2, progress=False)


def test_validation_is_evaluated_without_a_key():
    state, history = quiet(create(), validation_data=(x[:10], y[:10]))
    final = evaluate(loss_fn, state.params, (x[:10], y[:10]))
    assert history["val_loss"][-1] == pytest.approx(final["loss"])
    expected = np.square(np.asarray(net(state.params, x[:10])) - y[:10]).mean()
    assert final["loss"] == pytest.approx(float(expected), rel=1e-5)


def test_a_validation_split_is_not_trained_on():
    rows = np.arange(40)
    trained, held = [], []

    def loss_fn(params, batch, key):
        seen = held if key is None else trained
        jax.debug.callback(lambda rows: seen.extend(np.asarray(rows)), batch)
        return params["w"] ** 2

    state = TrainState.create({"w": jnp.ones(())}, tx, key)
    _, history = fit(loss_fn, tx, state, rows, epochs=1, validation_split=0.25, progress=False)
    jax.effects_barrier()
    assert len(trained) == 30 and len(held) == 10
    assert sorted(trained + held) == list(rows) and held != list(range(30, 40))
    assert list(history) == ["loss", "val_loss"]


@pytest.mark.parametrize("batch_size", [1, 7, 103, 500])
def test_evaluate_and_predict_do_not_depend_on_the_batch_size(batch_size):
    params = create().params
    whole = net(params, x)
    parts = predict(net, params, x, batch_size=batch_size)
    chex.assert_trees_all_close(parts, whole, atol=1e-6)
    result = evaluate(loss_fn, params, (x, y), batch_size=batch_size)
    assert result["loss"] == pytest.approx(float(jnp.square(whole - y).mean()), rel=1e-5)


def test_ctrl_c_returns_what_was_learnt(capsys):
    steps = itertools.count()

    def at_step_fifty():
        if next(steps) == 50:
            signal.raise_signal(signal.SIGINT)

    def interrupted(params, batch, key):
        jax.debug.callback(at_step_fifty)
        return loss_fn(params, batch, key)

    before, handler = net.init(key, x), signal.getsignal(signal.SIGINT)
    state, history = fit(interrupted, tx, create(), (x, y), epochs=10**6)
    assert 50 <= int(state.step) < 10**4
    assert 12 <= len(history["loss"]) < 10**4
    assert "stopped by Ctrl-C in epoch" in capsys.readouterr().out
    assert not np.allclose(state.params["0"]["kernel"], before["0"]["kernel"])
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_ctrl_c_interrupts():
    with pytest.raises(KeyboardInterrupt), Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.asked
        signal.raise_signal(signal.SIGINT)


def test_plain_lines_without_a_terminal(capsys):
    fit(loss_fn, tx, create(), (x, y), epochs=3, validation_data=(x, y))
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"epoch 3/3  loss \S+  distance \S+  val_loss \S+  val_distance \S+  "
        r"[\d,]+ examples/s  0 s left",
        lines[-1],
    )


def test_a_live_bar_in_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    fit(loss_fn, tx, create(), (x, y), epochs=3)
    out = capsys.readouterr().out
    assert "epoch 3/3" in out and "examples/s" in out and "━" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": (x, y[:5])}, r"one first axis.*float32\[103,3\], float32\[5,1\]"),
        ({"data": (x[:0], y[:0])}, r"there are no examples: float32\[0,3\]"),
        ({"data": (x, 1.0)}, r"one first axis.*float32\[103,3\], 1.0"),
        ({"epochs": 0}, "epochs must be an int of at least 1, but is 0"),
        ({"batch_size": 0.5}, "batch_size must be an int of at least 1, but is 0.5"),
        ({"validation_split": 1.5}, "leaves -51 to train on and 154 to validate on"),
        ({"validation_split": 0.1, "validation_data": (x, y)}, "not both"),
        ({"validation_data": (x, y[:5]), "epochs": 10**9}, r"one first axis.*float32\[5,1\]"),
        ({"data": (x * np.nan, y)}, r"nan in epoch 1, at step 0; .*in float32\[32,3\]: clean it"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(ValueError, match=message):
        quiet(create(), **options)


def test_a_diverging_run_is_stopped():
    wild = optax.sgd(1e9)
    state = TrainState.create(net.init(key, x), wild, key)
    with pytest.raises(
        ValueError, match=r"became (nan|inf) in epoch .*learning rate ten times lower"
    ):
        fit(loss_fn, wild, state, (x, y), epochs=50, progress=False)


def test_metrics_of_a_batch_are_scalars():
    vector = lambda params, batch, key: (loss_fn(params, batch, key)[0], {"each": batch[1]})
    with pytest.raises(ValueError, match=r"scalar metrics, but 'each' is float32\[32,1\]"):
        fit(vector, tx, create(), (x, y), epochs=1, progress=False)


def test_fit_learns():
    state, history = quiet(create(), epochs=60)
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    assert evaluate(loss_fn, state.params, (x, y))["loss"] < 0.2
    assert jn.train.fit is fit
