import re
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet as jn
from jaxnet import nn
from jaxnet.data.order import Order
from jaxnet.train.pure import pure_fit
from jaxnet.train.state import TrainState
from jaxnet.train.step import train_step

key = jax.random.key(0)
rng = np.random.default_rng(0)
x = rng.standard_normal((22, 3)).astype(np.float32)
y = x @ np.array([[1.0], [-2.0], [0.5]], np.float32)
net = nn.Sequential(nn.Dropout(0.2), nn.Linear(1))
tx = jn.optim.sgd(0.05)


def loss_fn(params, batch, key):
    x, y = batch
    error = net(params, x, key=key) - y
    return jnp.square(error).mean(), {"distance": abs(error).mean()}


def create(tx=tx, **options):
    return TrainState.create(net.init(key, x), tx, jax.random.key(1), **options)


def train(state=None, **options):
    options = {"epochs": 3, "batch_size": 5, **options}
    state = create() if state is None else state
    return jax.jit(lambda state: pure_fit(loss_fn, tx, state, (x, y), **options))(state)


def test_it_is_the_loop_over_steps():
    state, history = train(seed=7)
    hand, step = create(), train_step(loss_fn, tx)
    for epoch in range(3):
        order, seen = Order(22).indices(7, epoch), []
        for i in range(4):
            rows = order[5 * i : 5 * i + 5]
            hand, metrics = step(hand, (x[rows], y[rows]))
            seen.append(metrics)
        for name in ("loss", "distance"):
            mean = np.mean([metrics[name] for metrics in seen])
            assert history[name][epoch] == pytest.approx(mean, rel=1e-5)
    assert int(state.step) == 12
    chex.assert_trees_all_close(state.params, hand.params, rtol=1e-5, atol=1e-6)


def test_parts_make_the_whole():
    whole, history = train()
    half, before = train(epochs=2)
    again, after = train(half, epochs=1, first=2)
    assert again.step == whole.step == 12
    chex.assert_trees_all_close(again.params, whole.params, rtol=1e-6)
    joined = jax.tree.map(lambda *parts: np.concatenate(parts), before, after)
    chex.assert_trees_all_close(joined, history, rtol=1e-6)


def test_validation_is_the_mean_over_all_examples():
    many = rng.standard_normal((600, 3)).astype(np.float32)
    target = many.sum(1, keepdims=True)
    # The step moves nothing: "val_loss" of each epoch is that of the first parameters.
    still = jn.optim.freeze(tx, "**")
    state = create(still)
    _, history = jax.jit(
        lambda state: pure_fit(
            loss_fn, still, state, (x, y), epochs=2, batch_size=11, validation_data=(many, target)
        )
    )(state)
    error = np.asarray(net(state.params, many)) - target
    assert history.keys() == {"loss", "distance", "val_loss", "val_distance"}
    np.testing.assert_allclose(history["val_loss"], 2 * [np.square(error).mean()], rtol=1e-5)
    np.testing.assert_allclose(history["val_distance"], 2 * [np.abs(error).mean()], rtol=1e-5)


def test_validation_looks_at_the_average():
    held = (x[:4], y[:4])
    state, history = train(create(ema=True), ema=0.9, validation_data=held)
    loss, _ = loss_fn(state.averaged, held, None)
    assert history["val_loss"][-1] == pytest.approx(float(loss), rel=1e-5)
    assert abs(float(loss_fn(state.params, held, None)[0]) - float(loss)) > 1e-3


def test_options_reach_the_step():
    state, _ = train(clip=1e-3, accumulate=5, precision="bfloat16", epochs=1)
    other, _ = train(epochs=1)
    step = train_step(loss_fn, tx, clip=1e-3, accumulate=5, precision="bfloat16")
    hand = create()
    for rows in Order(22).indices(0, 0)[:20].reshape(4, 5):
        hand, _ = step(hand, (x[rows], y[rows]))
    chex.assert_trees_all_close(state.params, hand.params, rtol=1e-3, atol=1e-4)
    with pytest.raises(AssertionError):
        chex.assert_trees_all_close(state.params, other.params, rtol=1e-3, atol=1e-4)


def test_skipped_steps_count_for_nothing_but_their_number():
    def huge(params, batch, key):
        return 6e4 * params["w"].sum() * batch.mean(), {}

    state = TrainState.create({"w": jnp.ones(2)}, tx, key, precision="float16")
    _, history = pure_fit(huge, tx, state, jnp.ones(8), epochs=1, batch_size=2, precision="float16")
    assert history["skipped"] == 1 and np.isnan(history["loss"]).all()


def final_loss(lr, data=(x, y)):
    """Of a training without dropout, which has a plain derivative."""

    def loss_fn(params, batch, key):
        return jnp.square(net(params, batch[0]) - batch[1]).mean()

    tx = jn.optim.sgd(lr)
    state = TrainState.create(net.init(key, x), tx, key)
    options = {"epochs": 2, "batch_size": 11, "validation_data": (x, y)}
    return pure_fit(loss_fn, tx, state, data, **options)[1]["val_loss"][-1]


def test_the_gradient_of_a_training_is_that_of_finite_differences():
    loss = jax.jit(final_loss)
    numeric = (float(loss(0.03 + 1e-3)) - float(loss(0.03 - 1e-3))) / 2e-3
    assert abs(numeric) > 1
    assert jax.jit(jax.grad(final_loss))(0.03) == pytest.approx(numeric, rel=0.01)


def test_members_share_one_gather_of_each_batch():
    program = jax.make_jaxpr(jax.vmap(final_loss))(jnp.linspace(0.01, 0.1, 6))
    gathers = re.findall(r"(\w+)\[([\d,]*)\] = gather\[", str(program))
    assert sorted(shape for _, shape in gathers) == ["11,1", "11,3"]


def test_mapped_members_equal_single_ones():
    rates = jnp.array([0.01, 0.03, 0.1])
    single = [jax.jit(final_loss)(rate) for rate in rates]
    np.testing.assert_allclose(jax.jit(jax.vmap(final_loss))(rates), single, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 23}, "batch_size=23, but there are 22 examples.*at most 22"),
        ({"epochs": 0}, "epochs must be an int of at least 1"),
        ({"batch_size": 0}, "batch_size must be an int of at least 1"),
        ({"first": -1}, "first must be an int of at least 0"),
        ({"seed": -1}, "seed must be an int of at least 0"),
        ({"validation_data": (x, y[:3])}, "data must be arrays with one first axis"),
    ],
)
def test_mistakes_are_explained(options: dict[str, Any], message):
    with pytest.raises(ValueError, match=message):
        train(**options)


def test_metrics_are_scalars():
    def loss_fn(params, batch, key):
        return jnp.square(params["w"] - batch).mean(), {"each": batch}

    state = TrainState.create({"w": jnp.zeros(())}, tx, key)
    with pytest.raises(ValueError, match=r"'each' is float32\[2\]; take its mean in loss_fn"):
        pure_fit(loss_fn, tx, state, jnp.ones(4), epochs=1, batch_size=2)
