import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet as jn
from jaxnet import nn
from jaxnet.train.gradients import gradient_norms, per_example_gradients

key = jax.random.key(0)
x = jax.random.normal(key, (6, 3))
y = jax.random.normal(jax.random.key(1), (6, 2))


def loss_of(net):
    def loss_fn(params, batch, key):
        x, y = batch
        return jnp.square(net(params, x, key=key) - y).mean()

    return loss_fn


def test_per_example_gradients_of_a_linear_model_in_closed_form():
    net = nn.Linear(2)
    params = net.init(key, x)
    grads = per_example_gradients(loss_of(net), params, (x, y))
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    error = a @ np.asarray(params["kernel"]) + np.asarray(params["bias"]) - b
    np.testing.assert_allclose(grads["bias"], error, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        grads["kernel"], a[:, :, None] * error[:, None], rtol=1e-4, atol=1e-6
    )


def test_their_mean_is_the_gradient_of_the_batch():
    net = nn.Sequential(nn.Linear(4), nn.tanh, nn.LayerNorm(), nn.Linear(2))
    params = net.init(key, x)
    each = per_example_gradients(loss_of(net), params, (x, y))
    whole = jax.grad(loss_of(net))(params, (x, y), None)
    mean = jax.tree.map(lambda g: g.mean(0), each)
    chex.assert_trees_all_close(mean, whole, rtol=1e-5, atol=1e-6)


def test_each_example_has_a_key_of_its_own():
    noise = lambda params, batch, key: params["w"] * jax.random.normal(key)
    grads = per_example_gradients(noise, {"w": jnp.ones(())}, x, key)
    expected = jax.vmap(jax.random.normal)(jax.random.split(key, 6))
    chex.assert_trees_all_close(grads["w"], expected)


def test_statistics_have_no_gradient_and_are_used_for_inference():
    net = nn.BatchNorm()
    params = net.init(key, x)
    loss_fn = lambda params, x, key: jnp.square(net(params, x, key=key)).sum()
    grads = per_example_gradients(loss_fn, params, x)
    assert set(grads) == {"scale", "bias"}
    np.testing.assert_allclose(grads["bias"], 2 * x / np.sqrt(1 + 1e-5), rtol=1e-5)
    with pytest.raises(ValueError, match="more than one value a feature"):
        per_example_gradients(loss_fn, params, x, key)


def test_examples_have_one_first_axis():
    net = nn.Linear(2)
    with pytest.raises(ValueError, match=r"one first axis.*float32\[6,3\], float32\[4,2\]"):
        per_example_gradients(loss_of(net), net.init(key, x), (x, y[:4]))


def test_gradient_norms_by_path():
    net = nn.Sequential(nn.Linear(4), nn.BatchNorm(), nn.Linear(2))
    params = net.init(key, x)
    norms = gradient_norms(loss_of(net), params, (x, y), key)
    grads = jn.tree.flatten(jax.grad(loss_of(net))(params, (x, y), key))
    assert set(norms) == {path for path in grads if "stats" not in path}
    for path, norm in norms.items():
        expected = np.linalg.norm(np.asarray(grads[path], np.float64))
        np.testing.assert_allclose(norm, expected, rtol=1e-4, atol=1e-7)
