from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnet import nn
from jaxnet.train import TrainState, train_step

key = jax.random.key(0)
x = jax.random.normal(key, (64, 5))
y = jax.random.normal(jax.random.key(1), (64, 2))
net = nn.Sequential(nn.Linear(8), nn.tanh, nn.LayerNorm(), nn.Linear(2))
tx = optax.sgd(0.1)


def loss_fn(params, batch, key):
    x, y = batch
    error = net(params, x, key=key) - y
    return jnp.square(error).mean(), {"distance": abs(error).mean()}


def create(params):
    return TrainState.create(params, tx, key)


def test_eight_parts_equal_the_whole_batch():
    params = net.init(key, x)
    whole, metrics = train_step(loss_fn, tx)(create(params), (x, y))
    parts, averaged = train_step(loss_fn, tx, accumulate=8)(create(params), (x, y))
    chex.assert_trees_all_close(parts.params, whole.params, rtol=0, atol=1e-6)
    chex.assert_trees_all_close(averaged, metrics, rtol=1e-6)


def test_statistics_and_metrics_are_means_over_the_parts():
    norm = nn.BatchNorm()

    def loss_fn(params, x, key):
        return norm(params, x, key=key).mean(), {"above": (x > 0).sum(), "any": (x > 3).any()}

    step = train_step(loss_fn, tx, accumulate=4)
    state, metrics = step(create(norm.init(key, x)), x)
    parts = np.asarray(x, np.float64).reshape(4, 16, 5)
    np.testing.assert_allclose(state.params["stats"]["mean"], 0.1 * parts.mean((0, 1)), rtol=1e-4)
    var = 0.9 + 0.1 * parts.var(1, ddof=1).mean(0)
    np.testing.assert_allclose(state.params["stats"]["var"], var, rtol=1e-5)
    assert metrics["above"] == (parts > 0).sum() / 4
    assert metrics["any"] == (parts > 3).any((1, 2)).mean()


def test_the_sum_is_kept_in_float32():
    # In bfloat16 a sum of ones ends at 256, where one more is rounded away.
    params = {"w": jnp.ones((), jnp.bfloat16)}
    loss_fn = lambda params, batch, key: (params["w"] * batch.astype(jnp.bfloat16)).mean()
    state, metrics = train_step(loss_fn, tx, accumulate=512)(create(params), jnp.ones(512))
    assert state.params["w"] == jnp.bfloat16(0.9) and metrics["loss"] == 1
    assert metrics["loss"].dtype == state.params["w"].dtype == jnp.bfloat16


def test_each_part_has_a_key_of_its_own():
    noise = lambda params, batch, key: params["w"] * jax.random.normal(key)
    state, _ = train_step(noise, tx, accumulate=4)(create({"w": jnp.zeros(())}), x)
    keys = jax.random.split(jax.random.fold_in(key, 0), 4)
    expected = -0.1 * jnp.mean(jax.vmap(jax.random.normal)(keys))
    chex.assert_trees_all_close(state.params["w"], expected, rtol=1e-5)


@pytest.fixture
def optimized():
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


def test_the_memory_is_that_of_one_part(optimized):
    blocks = [nn.Linear(64), nn.tanh] * 8
    net = nn.Sequential(*blocks)
    loss_fn = lambda params, x, key: jnp.square(net(params, x)).mean()
    params = net.init(key, jnp.zeros((1, 64)))

    def temporary(batch_size, accumulate):
        batch = jax.ShapeDtypeStruct((batch_size, 64), jnp.float32)
        lowered = train_step(loss_fn, tx, accumulate=accumulate).lower(create(params), batch)
        memory: Any = lowered.compile().memory_analysis()
        return memory.temp_size_in_bytes

    gradients = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    part, parts, whole = temporary(1024, 1), temporary(8192, 8), temporary(8192, 1)
    assert part > 10 * gradients and whole > 6 * part
    assert parts < 1.15 * (part + gradients)
