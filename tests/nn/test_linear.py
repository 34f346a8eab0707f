import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn
from tests.nn.equations import equations


def products(x, kernel):
    jaxpr = jax.make_jaxpr(nn.linear)(x, kernel).jaxpr
    return [eqn for eqn in equations(jaxpr) if eqn.primitive.name == "dot_general"]


@given(
    batch=st.lists(st.integers(0, 5), max_size=2),
    inputs=st.integers(1, 40),
    features=st.integers(1, 2),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_values_and_gradients_of_small_products(batch, inputs, features, seed):
    rng = np.random.default_rng(seed)
    x, kernel, given_y = (
        rng.normal(size=shape)
        for shape in ((*batch, inputs), (inputs, features), (*batch, features))
    )
    with jax.enable_x64(True):
        y, pull = jax.vjp(nn.linear, x, kernel)
        dx, dkernel = pull(jnp.asarray(given_y))
        _, tangent = jax.jvp(nn.linear, (x, kernel), (2 * x, 3 * kernel))
    near = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(y, x @ kernel, **near)
    np.testing.assert_allclose(tangent, 5 * (x @ kernel), **near)
    np.testing.assert_allclose(dx, given_y @ kernel.T, **near)
    flat = x.reshape(-1, inputs), given_y.reshape(-1, features)
    np.testing.assert_allclose(dkernel, flat[0].T @ flat[1], **near)


@pytest.mark.parametrize(
    "shape, features, dtype, count",
    [
        ((32, 20), 1, "float32", 0),
        ((2, 16, 32), 1, "float32", 0),
        ((32, 20), 2, "float32", 1),
        ((33, 32), 1, "float32", 1),
        ((2, 33), 1, "float32", 1),
        ((32, 20), 1, "bfloat16", 1),  # whose products would be rounded one by one
    ],
)
def test_which_products_are_sums(shape, features, dtype, count):
    assert len(products(jnp.ones(shape, dtype), jnp.ones((shape[-1], features), dtype))) == count
