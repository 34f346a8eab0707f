"""Moments of a batch in one pass: their accuracy, and every kind of derivative of BatchNorm."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equations import equations
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn
from jaxnet.nn.moments import moments

pytestmark = pytest.mark.usefixtures("strict")
LAYER = nn.BatchNorm(stats=False)


def by_definition(params, x, mask):
    """In two passes, each moment by itself."""
    shown = jnp.ones(x.shape[:-1], bool) if mask is None else mask
    weight = jnp.broadcast_to(shown[..., None], x.shape).astype(x.dtype)
    axes = tuple(range(x.ndim - 1))
    count = jnp.maximum(weight.sum(axes), 1)
    left = x - jnp.broadcast_to((x * weight).sum(axes) / count, x.shape)
    var = (jnp.square(left) * weight).sum(axes) / count
    y = left * jnp.broadcast_to(params["scale"] / jnp.sqrt(var + LAYER.eps), x.shape)
    return (y + jnp.broadcast_to(params["bias"], x.shape)) * weight


@functools.partial(jax.jit, static_argnums=0)
def all_of(norm, params, x, mask):
    def loss(params, x):
        y = norm(params, x, mask)
        return (jnp.sin(y) * jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)).sum()

    grad = jax.grad(loss, (0, 1))
    point, way = (params, x), (params, jnp.cos(x))
    return (
        norm(params, x, mask),
        *jax.jvp(grad, point, way),
        jax.jvp(lambda params, x: norm(params, x, mask), point, way)[1],
        jax.vmap(lambda size: grad(params, size * x))(jnp.array([1.0, -2.0])),
    )


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(2, 20), min_size=1, max_size=3), st.booleans(), st.integers(0, 99))
def test_values_and_derivatives_are_those_of_the_definition(batch, masked, seed):
    x = 10 + draw((*batch, 2), seed)
    mask = draw(tuple(batch), seed + 1) > -0.5 if masked else None
    params = {"scale": jnp.array([0.5, 2.0]), "bias": jnp.array([1.0, -1.0])}
    ours = all_of(lambda params, x, mask: LAYER(params, x, mask=mask), params, x, mask)
    jax.tree.map(close, ours, all_of(by_definition, params, x, mask))


# Of a batch [4, 8, 32, 3] only the first columns, which are read beforehand, lie elsewhere.
APART = {
    "nothing": lambda place: place < 0,
    "a column": lambda place: place < 1,
    "what is read": lambda place: place < 2,
    "all else": lambda place: place >= 2,
}


@pytest.mark.parametrize("where", APART)
def test_one_pass_is_exact_even_if_what_is_read_beforehand_lies_apart(where):
    place = np.arange(32)[:, None]
    noise = np.random.default_rng(0).normal(size=(4, 8, 32, 3))
    x = np.float32(1e4 + noise - 1e4 * APART[where](place))
    near, rest, var = jax.jit(moments, static_argnums=1)(x, (0, 1, 2))
    exact = np.float64(x)
    mean, deviation = (f((0, 1, 2), keepdims=True) for f in (exact.mean, exact.std))
    assert (abs(np.float64(near) + np.float64(rest) - mean) < 1e-5 * deviation).all()
    np.testing.assert_allclose(np.sqrt(var), deviation, rtol=1e-5)


def test_a_training_step_sums_over_the_batch_four_times():
    x = draw((4, 8, 32, 3))
    params = LAYER.init(jax.random.key(0), x)
    pull = jax.grad(lambda params, x: jnp.sin(LAYER(params, x)).sum(), (0, 1))
    sums = [
        eqn
        for eqn in equations(jax.make_jaxpr(pull)(params, x).jaxpr)
        if eqn.primitive.name.startswith("reduce_")
        and eqn.params["axes"] == (0, 1, 2)
        and eqn.invars[0].aval.shape == x.shape
    ]
    assert len(sums) == 4


def test_gradients_on_devices_of_a_mesh_are_those_of_one_batch():
    layer, x = nn.BatchNorm(axis_name="data"), draw((8, 5, 3))
    params = nn.BatchNorm().init(jax.random.key(0), x)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec
    apart = functools.partial(
        jax.shard_map, mesh=mesh, in_specs=(spec(), spec("data")), out_specs=spec("data")
    )(lambda params, x: layer(params, x, key=jax.random.key(0)))
    whole = functools.partial(nn.BatchNorm(), key=jax.random.key(0))

    def gradients(norm):
        return jax.jit(jax.grad(lambda p, x: jnp.sin(norm(p, x)).sum(), (0, 1)))(params, x)

    (params_apart, x_apart), (params_whole, x_whole) = map(gradients, (apart, whole))
    close(x_apart, x_whole)
    close(params_apart["scale"], params_whole["scale"])
    close(params_apart["bias"], params_whole["bias"])
