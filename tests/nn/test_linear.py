import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn
from jaxnet.nn import matmul as forms
from tests.nn.equations import equations
from tests.nn.exact import close


def primitives(fn, *args):
    return [eqn.primitive.name for eqn in equations(jax.make_jaxpr(fn)(*args).jaxpr)]


@given(
    batch=st.lists(st.integers(0, 9), max_size=2),
    inputs=st.integers(1, 40),
    features=st.integers(1, 2),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_values_and_derivatives(batch, inputs, features, seed):
    rng = np.random.default_rng(seed)
    x, kernel, dx, dkernel, dy = (
        rng.normal(size=shape)
        for shape in ((*batch, inputs), (inputs, features)) * 2 + ((*batch, features),)
    )
    with jax.enable_x64(True):
        y, pull = jax.vjp(nn.linear, x, kernel)
        x_bar, kernel_bar = pull(jnp.asarray(dy))
        _, tangent = jax.jvp(nn.linear, (x, kernel), (dx, dkernel))
        # The second derivative of a bilinear map, forward over reverse.
        _, (x_dot, kernel_dot) = jax.jvp(
            lambda x, kernel: jax.vjp(nn.linear, x, kernel)[1](jnp.asarray(dy)),
            (x, kernel),
            (dx, dkernel),
        )
    flat = lambda a: a.reshape(-1, a.shape[-1])
    close(y, x @ kernel)
    close(tangent, dx @ kernel + x @ dkernel)
    close(x_bar, dy @ kernel.T)
    close(kernel_bar, flat(x).T @ flat(dy))
    close(x_dot, dy @ dkernel.T)
    close(kernel_dot, flat(dx).T @ flat(dy))


def test_many_at_once_are_each_alone():
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(4, 16, 3)), rng.normal(size=(4, 3, 2))
    gradient = jax.grad(lambda kernel, x: jnp.square(nn.linear(x, kernel)).sum())
    alone = [gradient(k, a) for k, a in zip(kernel, x, strict=True)]
    chex.assert_trees_all_close(jax.vmap(gradient)(kernel, x), jnp.stack(alone), rtol=1e-5)


def kernel_gradient(shape, features):
    loss = lambda kernel, x: nn.linear(x, kernel).sum()
    return primitives(jax.grad(loss), jnp.ones((shape[-1], features)), jnp.ones(shape))


@pytest.mark.parametrize(
    "shape, features, copied",
    [
        ((16, 5), 2, True),
        ((4, 4, 5), 2, True),
        ((15, 5), 2, False),
        ((5,), 2, False),
        ((16, 5), 1, False),
    ],
)
def test_which_gradients_are_of_a_transposed_copy(shape, features, copied):
    assert ("optimization_barrier" in kernel_gradient(shape, features)) == copied


def test_what_is_larger_than_a_cache_is_not_copied(monkeypatch):
    monkeypatch.setattr(forms, "_CACHED", 79)
    assert "optimization_barrier" not in kernel_gradient((16, 5), 4)


def test_a_gradient_is_of_products_of_stored_matrices():
    x, kernel = jnp.ones((16, 5)), jnp.ones((5, 4))
    loss = lambda kernel: nn.linear(x, kernel).sum()
    jaxpr = jax.make_jaxpr(jax.grad(loss))(kernel).jaxpr
    products = [eqn for eqn in equations(jaxpr) if eqn.primitive.name == "dot_general"]
    contracted = [eqn.params["dimension_numbers"][0] for eqn in products]
    assert contracted[-1] in [((1,), (0,)), ((0,), (1,))]


def test_other_devices_get_their_own_product(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert "optimization_barrier" not in kernel_gradient((16, 5), 4)


def test_products_are_kept_by_the_policy_that_keeps_products():
    x, kernel = jnp.ones((16, 5)), jnp.ones((5, 4))

    def loss(kernel):
        return jnp.sin(nn.linear(x, kernel)).sum()

    kept = jax.checkpoint(loss, policy=jax.checkpoint_policies.dots_saveable)
    assert primitives(jax.grad(kept), kernel).count("dot_general") == 2
    whole = primitives(jax.grad(jax.checkpoint(loss)), kernel).count("dot_general")
    assert whole == 3
