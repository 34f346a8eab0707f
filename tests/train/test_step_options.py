"""What a step does beyond the least: each option by itself, and all of them together."""

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet as jn
from jaxnet import nn
from jaxnet.train import TrainState, train_step
from jaxnet.train.precision import Precision

key = jax.random.key(0)
x = jax.random.normal(key, (8, 3))
y = jax.random.normal(jax.random.key(1), (8, 2))
net = nn.Sequential(nn.Linear(4), nn.tanh, nn.Linear(2))
tx = optax.adam(0.01)


def loss_fn(params, batch, key):
    x, y = batch
    error = net(params, x, key=key) - y
    return jnp.square(error).mean(), {"worst": abs(error).max()}


def create(tx=tx):
    return TrainState.create(net.init(key, x), tx, key)


def every_option(**changed):
    options: dict[str, Any] = {
        "accumulate": 2,
        "precision": Precision("float16", keep={"3/**": "float32"}),
        "clip": 1.0,
        "ema": 0.9,
        "skip_nonfinite": True,
        "norms": True,
    }
    return options | changed


deep = nn.Sequential(nn.Linear(4), nn.BatchNorm(), nn.Dropout(0.1), nn.Linear(2))


def deep_loss(params, batch, key):
    x, y = batch
    error = deep(params, x, key=key).astype(jnp.float32) - y.astype(jnp.float32)
    return jnp.square(error).mean(), {"worst": abs(error).max()}


def create_with_all(tx):
    params = deep.init(key, x)
    return TrainState.create(params, tx, key, precision="float16", ema=True, rate=True)


def test_all_options_together_compile_once_and_learn():
    tx = jn.optim.plateau(jn.optim.adam(0.05), patience=100)
    counted: Any = chex.assert_max_traces(deep_loss, n=2)  # one is for the shapes of the sums
    step = train_step(counted, tx, **every_option())
    state, losses, metrics = create_with_all(tx), [], {}
    for _ in range(30):
        state, metrics = step(state, (x, y))
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.5 * losses[0]
    weights = ["0/bias", "0/kernel", "1/bias", "1/scale", "3/bias", "3/kernel"]
    expected = {"loss", "worst", "grad_norm", "skipped", "loss_scale"}
    assert set(metrics) == expected | {f"grad_norm/{path}" for path in weights}
    assert {leaf.dtype.name for leaf in jax.tree.leaves((metrics, state.params))} == {"float32"}
    assert set(state.extra) == {"ema", "scale", "rate"}


def test_donation_covers_what_the_options_add():
    tx = optax.adam(0.05)
    lowered = train_step(deep_loss, tx, **every_option()).lower(create_with_all(tx), (x, y))
    memory: Any = lowered.compile().memory_analysis()
    state = create_with_all(tx)
    kept = (state.params, state.opt_state, state.extra)
    assert memory.alias_size_in_bytes >= sum(leaf.nbytes for leaf in jax.tree.leaves(kept))


def test_clip_is_that_of_optim_on_weights_alone():
    norm = nn.Sequential(nn.Linear(4), nn.BatchNorm(), nn.Linear(2))
    loss_fn = lambda p, batch, key: 50 * jnp.square(norm(p, batch[0], key=key) - batch[1]).mean()
    params, inner = norm.init(key, x), optax.sgd(0.1)
    whole, outer = inner, jn.optim.clip(inner, norm=0.5)
    ours, metrics = train_step(loss_fn, whole, clip=0.5, norms=True)(
        TrainState.create(params, whole, key), (x, y)
    )
    theirs, _ = train_step(loss_fn, outer)(TrainState.create(params, outer, key), (x, y))
    chex.assert_trees_all_equal(ours.params, theirs.params)
    moved = jax.tree.map(lambda old, new: (old - new) / 0.1, params, ours.params)
    weights = [leaf for path, leaf in jn.tree.flatten(moved).items() if "stats" not in path]
    assert metrics["grad_norm"] > 5
    assert float(optax.tree.norm(weights)) == pytest.approx(0.5, rel=1e-4)


def test_norms_are_of_the_whole_gradient_before_clipping():
    state, params = create(), net.init(key, x)
    grads = jax.grad(lambda p: loss_fn(p, (x, y), key)[0])(params)
    _, metrics = train_step(loss_fn, tx, clip=1e-3, norms=True)(state, (x, y))
    for path, grad in jn.tree.flatten(grads).items():
        expected = np.linalg.norm(np.asarray(grad, np.float64))
        np.testing.assert_allclose(metrics[f"grad_norm/{path}"], expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["grad_norm"], optax.tree.norm(grads), rtol=1e-5)


def test_ema_averages_weights_and_copies_statistics():
    step = train_step(deep_loss, tx, ema=0.8)
    state = TrainState.create(deep.init(key, x), tx, key, ema=True)
    expected = jax.tree.map(lambda x: np.asarray(x, np.float64), state.params)
    chex.assert_trees_all_equal(state.averaged, state.params)
    for _ in range(4):
        state, _ = step(state, (x, y))
        expected = jax.tree.map(lambda e, p: 0.8 * e + 0.2 * np.asarray(p), expected, state.params)
    expected["1"]["stats"] = state.params["1"]["stats"]
    chex.assert_trees_all_close(state.averaged, expected, rtol=1e-5)
    plain = create()
    assert plain.averaged is plain.params


@pytest.mark.parametrize(("accumulate", "bad"), [(1, np.nan), (2, np.inf)], ids=str)
def test_a_step_that_is_not_finite_changes_nothing_but_the_count(accumulate, bad):
    tx = optax.chain(optax.adam(0.05), optax.add_noise(0.1, 0.1, key=jax.random.key(3)))
    step = train_step(deep_loss, tx, skip_nonfinite=True, ema=0.9, accumulate=accumulate)
    start = lambda: TrainState.create(deep.init(key, x), tx, key, ema=True)
    state, metrics = step(start(), (x.at[0, 0].set(bad), y))
    before = start()
    chex.assert_trees_all_equal(
        (state.params, state.opt_state, state.extra),
        (before.params, before.opt_state, before.extra),
    )
    assert metrics["skipped"] == 1 and state.step == 1
    state, metrics = step(state, (x, y))
    assert metrics["skipped"] == 0 and state.step == 2
    assert not jnp.allclose(state.params["0"]["kernel"], before.params["0"]["kernel"])


def test_a_finite_loss_with_an_infinite_gradient_is_skipped():
    root = lambda params, batch, key: jnp.sqrt(params["w"])
    step = train_step(root, optax.sgd(0.1), skip_nonfinite=True)
    state = TrainState.create({"w": jnp.zeros(())}, optax.sgd(0.1), key)
    state, metrics = step(state, x)
    assert metrics["skipped"] == 1 and metrics["loss"] == state.params["w"] == 0


def test_the_rate_multiplies_the_updates():
    state = TrainState.create(net.init(key, x), tx, key, rate=True)
    whole, _ = train_step(loss_fn, tx)(create(), (x, y))
    state.extra["rate"] = jnp.float32(0.25)
    quarter, _ = train_step(loss_fn, tx)(state, (x, y))
    expected = jax.tree.map(lambda a, b: a + 0.25 * (b - a), create().params, whole.params)
    chex.assert_trees_all_close(quarter.params, expected, rtol=1e-4, atol=1e-6)
    assert quarter.extra == {"rate": 0.25}


def test_several_steps_in_one_dispatch():
    batches = jax.tree.map(lambda a: a.reshape(4, 2, -1), (x, y))
    one, state = train_step(loss_fn, tx), create()
    losses = []
    for i in range(4):
        state, metrics = one(state, jax.tree.map(lambda a: a[i], batches))
        losses.append(metrics["loss"])
    together, metrics = train_step(loss_fn, tx, steps=4)(create(), batches)
    chex.assert_trees_all_close(together.params, state.params, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(metrics["loss"], losses, rtol=1e-5)
    assert together.step == 4 and metrics["worst"].shape == (4,)
    with pytest.raises(ValueError, match=r"steps=3 needs that many batches .* float32\[4,2,3\]"):
        train_step(loss_fn, tx, steps=3)(create(), batches)
    with pytest.raises(ValueError, match="steps must be an int of at least 1, but is 0"):
        train_step(loss_fn, tx, steps=0)


def test_what_the_state_does_not_name_passes_through():
    state = dataclasses.replace(create(), extra={"mine": jnp.arange(3)})
    for _ in range(2):
        state, _ = train_step(loss_fn, tx, skip_nonfinite=True)(state, (x, y))
    chex.assert_trees_all_equal(state.extra, {"mine": jnp.arange(3)})


@pytest.mark.parametrize(
    ("created", "options", "message"),
    [
        ({}, {"ema": 0.9}, r"an average of the parameters, but the state has none.*ema=True"),
        ({"ema": True}, {}, r"holds an average of the parameters, which.*give the step ema=0.999"),
        ({}, {"precision": "float16"}, "the scale of a float16 loss, but the state has none"),
        ({"precision": "float16"}, {}, "holds the scale of a float16 loss.*give the step precis"),
        (
            {},
            {"precision": Precision(param="bfloat16")},
            r"stores weights in bfloat16, but 0/bias is float32\[4\]; make the state with",
        ),
        ({"ema": True}, {"ema": 1.0}, "ema must be at least 0 and below 1, but is 1.0"),
        ({}, {"clip": 0.0}, "norm of clip must be positive, but is 0.0"),
        ({}, {"precision": 16}, "'float32' or a jn.train.Precision, but is 16"),
        ({}, {"norms": True, "extra": "grad_norm"}, "'grad_norm', which the step adds itself"),
    ],
)
def test_a_state_and_its_step_fit_each_other(created, options, message):
    state = TrainState.create(net.init(key, x), tx, key, **created)
    name = options.pop("extra", "other")
    named = lambda params, batch, key: (loss_fn(params, batch, key)[0], {name: jnp.ones(())})
    with pytest.raises(ValueError, match=message):
        train_step(named, tx, **options)(state, (x, y))
