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

key = jax.random.key(0)
x = jax.random.normal(key, (8, 3))
y = jax.random.normal(jax.random.key(1), (8, 2))
net = nn.Sequential(nn.Linear(4), nn.tanh, nn.Linear(2))
tx = optax.adam(0.01)


def loss_fn(params, batch, key):
    x, y = batch
    error = net(params, x, key=key) - y
    return jnp.square(error).mean(), {"worst": abs(error).max()}


def create(tx=tx, net: jn.Layer = net):
    return TrainState.create(net.init(key, x), tx, key)


def test_a_step_is_what_optax_does():
    state = create()
    params = net.init(key, x)
    opt_state = tx.init(params)
    step = train_step(loss_fn, tx)
    for i in range(5):
        (loss, _), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, (x, y), key)
        updates, opt_state = tx.update(grads, opt_state, params)
        state, metrics = step(state, (x, y))
        chex.assert_trees_all_close(metrics["loss"], loss, rtol=1e-5)
        params = optax.apply_updates(params, updates)
        chex.assert_trees_all_close(state.params, params, rtol=1e-4, atol=1e-6)
        assert int(state.step) == i + 1 and set(metrics) == {"loss", "worst"}


def test_the_state_is_consumed_but_not_what_it_was_made_of():
    params = net.init(key, x)
    state = TrainState.create(params, tx, key)
    train_step(loss_fn, tx)(state, (x, y))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((params, key)))


def test_each_step_has_a_key_of_its_own_and_resumes_exactly():
    noisy = nn.Sequential(nn.Linear(4), nn.Dropout(0.5), nn.Linear(2))

    def loss_fn(params, batch, key):
        return jnp.square(noisy(params, batch[0], key=key) - batch[1]).mean()

    step = train_step(loss_fn, optax.sgd(0.0))
    state, losses = create(optax.sgd(0.0), noisy), []
    for _ in range(3):
        state, metrics = step(state, (x, y))
        losses.append(float(metrics["loss"]))
    assert len(set(losses)) == 3
    resumed = TrainState.create(state.params, optax.sgd(0.0), key)
    resumed = TrainState(jnp.int32(2), resumed.params, resumed.opt_state, resumed.key)
    assert float(step(resumed, (x, y))[1]["loss"]) == losses[2]


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_accumulated_parts_equal_the_whole_batch(parts):
    mean_only = lambda params, batch, key: loss_fn(params, batch, key)[0]
    whole, _ = train_step(mean_only, tx)(create(), (x, y))
    state, metrics = train_step(mean_only, tx, accumulate=parts)(create(), (x, y))
    chex.assert_trees_all_close(state.params, whole.params, rtol=1e-4, atol=1e-6)
    assert float(metrics["loss"]) == pytest.approx(float(mean_only(create().params, (x, y), None)))


def test_a_step_compiles_once():
    counted: Any = chex.assert_max_traces(loss_fn, n=1)
    step = train_step(counted, tx)
    state = create()
    for _ in range(3):
        state, _ = step(state, (x, y))


def test_statistics_are_unseen_by_the_optimizer():
    bn = nn.BatchNorm()
    tx = optax.chain(optax.clip_by_global_norm(1e-3), optax.adamw(0.1, weight_decay=0.5))
    state = create(tx, bn)
    loss_fn = lambda params, x, key: 1e3 * jnp.square(bn(params, x, key=key)).mean()
    shifted = np.asarray(x) + 100
    state, _ = train_step(loss_fn, tx)(state, shifted)
    np.testing.assert_allclose(state.params["stats"]["mean"], 0.1 * shifted.mean(0), rtol=1e-5)
    assert all("stats" not in path for path in jn.tree.flatten(state.opt_state))


def test_a_frozen_part_stays_and_its_statistics_too():
    tx = jn.optim.freeze(optax.sgd(0.1), "0/**")
    before = net.init(key, x)
    state, _ = train_step(loss_fn, tx)(TrainState.create(before, tx, key), (x, y))
    chex.assert_trees_all_equal(state.params["0"], before["0"])
    assert not jnp.allclose(state.params["2"]["kernel"], before["2"]["kernel"])


@pytest.mark.parametrize(
    ("loss_fn", "message"),
    [
        (lambda p, b, k: jnp.square(net(p, b[0])), r"must return a scalar.*float32\[8,2\].*mean"),
        (lambda p, b, k: 1.0, "must return a scalar floating-point loss, but returned 1.0"),
        (lambda p, b, k: (net(p, b[0]).mean(), 3.0), r"\(loss, metrics\), where metrics is a dict"),
        (lambda p, b, k: (net(p, b[0]).mean(), {"loss": 0.0}), "without the key 'loss'"),
    ],
)
def test_a_loss_function_returns_a_scalar_and_metrics(loss_fn, message):
    with pytest.raises(ValueError, match=message):
        train_step(loss_fn, tx)(create(), (x, y))


def test_batches_are_not_empty_and_divide():
    with pytest.raises(ValueError, match=r"batch is empty: it holds float32\[0,3\]"):
        train_step(loss_fn, tx)(create(), (x[:0], y[:0]))
    with pytest.raises(ValueError, match=r"accumulate=3 needs a batch .* float32\[8,3\]"):
        train_step(loss_fn, tx, accumulate=3)(create(), (x, y))
    with pytest.raises(ValueError, match="accumulate must be an int of at least 1, but is 0"):
        train_step(loss_fn, tx, accumulate=0)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((net, tx, key), "the nested dict that layer.init returns, but is a Sequential"),
        (({"w": 1.0}, tx, key), "w is 1.0, but parameters are floating-point arrays"),
        (({"w": jnp.ones(2, jnp.int32)}, tx, key), r"w is int32\[2\], but parameters are"),
        (({"w": x}, 0.1, key), r"an optimizer such as jn.optim.adam\(1e-3\), but is 0.1"),
        (({"w": x}, tx, 0), r"a random key was needed, but 0 was given"),
    ],
)
def test_a_state_is_made_of_parameters_optimizer_and_key(args, message):
    with pytest.raises(ValueError, match=message):
        TrainState.create(*args)


def test_donation_covers_every_buffer_of_the_state():
    lowered = train_step(loss_fn, tx).lower(create(), (x, y))
    memory: Any = lowered.compile().memory_analysis()
    size = sum(leaf.nbytes for leaf in jax.tree.leaves((create().params, create().opt_state)))
    assert memory.alias_size_in_bytes >= size
