"""What normalisation means, for any input: moments, masks, and how the kinds are one another."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn
from jaxnet.core import stats

pytestmark = pytest.mark.usefixtures("strict")
key = jax.random.key(0)
few = settings(max_examples=5, deadline=None)
seeds = st.integers(0, 1000)
PLAIN: dict[str, Any] = {"scale": False, "bias": False}


@few
@given(seeds, st.floats(-1e3, 1e3), st.floats(1, 1e3))
def test_results_have_mean_0_and_variance_1(seed, shift, scale):
    x = shift + scale * np.random.default_rng(seed).normal(size=(2, 5, 3, 4))
    for y, axes in zip(map(np.asarray, normalised(x)), AXES, strict=True):
        np.testing.assert_allclose(y.mean(axes), 0, atol=1e-9)
        np.testing.assert_allclose(np.square(y).mean(axes), 1, atol=1e-2)
    rms, unit = map(np.asarray, (nn.rms_norm(x), nn.normalize(x)))
    np.testing.assert_allclose(np.square(rms).mean(-1), 1, rtol=1e-9)
    np.testing.assert_allclose(np.square(unit).sum(-1), 1, rtol=1e-9)


AXES = [(-2, -1), (1, 2), (1, 2, 4), (0, 1, 2), (0, -1)]


@jax.jit
def normalised(x):
    return (
        nn.layer_norm(x, axes=2),
        nn.instance_norm(x),
        nn.group_norm(x, 2).reshape(*x.shape[:-1], 2, 2),
        nn.BatchNorm(stats=False, **PLAIN)({}, x),
        nn.mean_variance_norm(x, (0, -1)),
    )


NORMS = {
    "layer": nn.layer_norm,
    "rms": nn.rms_norm,
    "group": lambda x: nn.group_norm(x, 2, axes=1),
    "instance": lambda x: nn.instance_norm(x, axes=1),
    "batch": lambda x: nn.BatchNorm(stats=False, **PLAIN)({}, x),
    "mean variance": lambda x: nn.mean_variance_norm(x, (0, 1)),
    "normalize": nn.normalize,
    "local response": lambda x: nn.local_response_norm(x, 3),
}


@pytest.mark.parametrize("name", NORMS)
def test_a_large_mean_costs_no_accuracy_in_float32(name):
    x = np.float32(1e4 + np.random.default_rng(0).normal(size=(4, 32, 64)))
    exact = NORMS[name](jnp.asarray(x, jnp.float64))
    y = jax.jit(NORMS[name])(jnp.asarray(x))
    assert y.dtype == jnp.float32
    assert np.abs(np.asarray(y, np.float64) - exact).max() < 2e-5


@functools.partial(jax.jit, static_argnums=0)
def itself_pulled(norm, x):
    y, back = jax.vjp(norm, x)
    return y, back(y)[0]


@pytest.mark.parametrize("name", NORMS)
def test_the_largest_halves_do_not_overflow(name):
    x = jnp.asarray(draw((2, 4, 4)) * 2e4, jnp.float16)
    y, grad = itself_pulled(NORMS[name], x)
    assert y.dtype == jnp.float16
    assert jnp.isfinite(y).all()
    assert jnp.isfinite(grad).all()


@pytest.mark.parametrize("name", ["layer", "group", "instance", "batch", "mean variance"])
def test_constant_input_gives_zeros_and_finite_gradients(name):
    x = jnp.full((2, 3, 4), 7.0)
    slope = jax.jit(jax.value_and_grad(lambda x: jnp.sum(NORMS[name](x) * jnp.sin(x + 1))))(x)
    close(slope[0], jnp.zeros(()))
    assert jnp.isfinite(slope[1]).all()


@pytest.mark.parametrize("p", [1, 2, 3, np.inf])
def test_the_unit_of_zero_is_zero_with_a_finite_gradient(p):
    unit, zero = functools.partial(nn.normalize, p=p, eps=0.5), jnp.zeros((2, 3))
    y, slope = jax.jit(jax.value_and_grad(lambda x: unit(x).sum()))(zero)
    close(y, jnp.zeros(()))
    close(slope, jnp.full((2, 3), 2.0))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_group_norm_spans_layer_and_instance_norm(axes):
    d = 4
    x = draw((2, *(3,) * axes, d))
    close(nn.group_norm(x, 1, axes=axes), nn.layer_norm(x, axes=axes + 1))
    close(nn.group_norm(x, d, axes=axes), nn.instance_norm(x, axes=axes))
    one = jax.vmap(lambda x: nn.BatchNorm(stats=False, **PLAIN)({}, x))
    close(nn.instance_norm(x, axes=axes), one(x))


MASKED = {
    "group": nn.GroupNorm(2, axes=1),
    "instance": nn.InstanceNorm(axes=1, scale=True, bias=True, stats=True),
    "batch": nn.BatchNorm(),
    "batch cumulative": nn.BatchNorm(momentum=None),
    "batch plain": nn.BatchNorm(stats=False),
}


def pulled(layer, x, mask, call_key):
    params = jax.tree.map(lambda leaf: leaf + 0.5, layer.init(key, x))
    return _pulled(layer, params, x, mask, call_key)


@functools.partial(jax.jit, static_argnums=0)
def _pulled(layer, params, x, mask, call_key):
    y, back = jax.vjp(lambda params, x: layer(params, x, mask=mask, key=call_key), params, x)
    return y, *back(jnp.sin(jnp.arange(y.size, dtype=y.dtype).reshape(y.shape)))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MASKED)
@few
@given(seeds, st.data())
def test_what_is_masked_never_matters(name, training, seed, data):
    layer, call_key = MASKED[name], key if training else None
    flags = st.lists(st.booleans(), min_size=10, max_size=10)
    mask = jnp.array(data.draw(flags)).reshape(2, 5)
    x, hidden = draw((2, 5, 4), seed), ~mask[..., None]
    y, params, dx = pulled(layer, x, mask, call_key)
    assert jnp.isfinite(dx).all()
    assert not jnp.where(hidden, y, 0).any()
    assert not jnp.where(hidden, dx, 0).any()
    wrong = st.sampled_from([jnp.nan, jnp.inf, 1e300])
    again = pulled(layer, jnp.where(hidden, data.draw(wrong), x), mask, call_key)
    jax.tree.map(close, again, (y, params, dx))


@pytest.mark.parametrize("name", MASKED)
def test_a_mask_of_what_is_all_there_changes_nothing(name):
    layer, x = MASKED[name], draw((2, 5, 4))
    jax.tree.map(close, pulled(layer, x, jnp.ones((2, 5), bool), key), pulled(layer, x, None, key))


@pytest.mark.parametrize("name", ["instance", "batch", "batch cumulative"])
def test_a_batch_masked_entirely_moves_no_statistics(name):
    _, grads, _ = pulled(MASKED[name], draw((2, 5, 4)), jnp.zeros((2, 5), bool), key)
    assert not any(jnp.any(x) for x in jax.tree.leaves(grads))


def test_the_cumulative_average_is_the_mean_over_all_batches():
    layer, x = nn.BatchNorm(momentum=None), draw((4, 6, 3))
    params = layer.init(key, x[0])
    for batch in x:
        grads = jax.grad(lambda p, batch=batch: layer(p, batch, key=key).sum())(params)
        params["stats"] = stats.update(params["stats"], grads["stats"])
    close(params["stats"]["mean"], x.mean((0, 1)))
    close(params["stats"]["var"], jnp.var(x, axis=1, ddof=1).mean(0))
    assert params["stats"]["count"] == 4


@pytest.mark.parametrize("masked", [False, True])
def test_devices_of_a_mesh_are_one_batch(masked):
    layer, x = nn.BatchNorm(axis_name="data"), draw((8, 5, 3))
    mask = draw((8, 5), 1) > 0 if masked else None
    params = nn.BatchNorm().init(key, x)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec

    @jax.jit
    @functools.partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=(spec(), spec("data"), spec("data")),
        out_specs=spec("data"),
    )
    def apart(params, x, mask):
        return layer(params, x, mask=mask, key=key)

    close(apart(params, x, mask), nn.BatchNorm()(params, x, mask=mask, key=key))


def local_response(x, size, alpha, beta, k):
    y = np.empty_like(x)
    for c in range(x.shape[-1]):
        near = x[..., max(0, c - size // 2) : c + (size - 1) // 2 + 1]
        y[..., c] = x[..., c] / (k + alpha * np.square(near).sum(-1) / size) ** beta
    return y


@few
@given(seeds, st.integers(1, 7), st.floats(0.1, 2), st.floats(0.1, 2))
def test_local_response_is_a_sum_over_neighbours(seed, size, alpha, beta):
    x = draw((2, 5), seed)
    y = nn.local_response_norm(x, size, alpha=alpha, beta=beta, k=0.5)
    close(y, jnp.asarray(local_response(np.asarray(x), size, alpha, beta, 0.5)))
