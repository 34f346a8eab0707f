"""``check_layer`` finds faults that show under JAX's strict settings and transformations."""

import jax
import jax.numpy as jnp
import pytest
from faults import X, faulty
from jax.experimental import io_callback

import jaxnet as jn
from jaxnet import nn
from jaxnet.testing import check_layer

ones = nn.initializers.ones


# Strict settings


@faulty(claim="no random key is used twice")
def test_uses_a_key_twice(params, x, *, key=None):
    if key is None:
        return x
    return x + jax.random.normal(key, x.shape, x.dtype) + jax.random.uniform(key, x.shape, x.dtype)


kept = []


@faulty(claim="no tracer leaks")
def test_leaks_a_tracer(params, x, *, key=None):
    kept.append(x)
    return 2 * x


@faulty(claim="arrays of unequal rank are not broadcast silently")
def test_broadcasts_a_bias_silently(params, x, *, key=None):
    return x + jn.param(params, "bias", x.shape[-1:], ones)


promotes = faulty(claim="dtypes are not promoted silently")


@promotes
def test_mixes_in_a_float32_constant(params, x, *, key=None):
    return (x * jnp.ones(x.shape, jnp.float32)).astype(x.dtype)


@promotes
def test_promotes_silently(params, x, *, key=None):
    return x * jnp.broadcast_to(jnp.arange(x.shape[-1]), x.shape)


narrow = faulty(claim="bfloat16 parameters and inputs give bfloat16")


@narrow
def test_widens_its_parameters(params, x, *, key=None):
    scale = jn.param(params, "scale", x.shape[-1:], ones).astype(jnp.float32)
    return x.astype(jnp.float32) * jnp.broadcast_to(scale, x.shape)


@narrow
def test_ignores_the_dtype_of_its_input(params, x, *, key=None):
    return jnp.tanh(x.astype(jnp.float32))


@narrow
def test_loses_digits_in_bfloat16(params, x, *, key=None):
    return (x + 1000) - 1000


# Derivatives


@faulty(claim="gradients are finite")
def test_nan_gradient_behind_a_where(params, x, *, key=None):
    return jnp.where(x > 0, jnp.sqrt(x), jnp.zeros_like(x))


def test_nan_gradient_at_the_examples_only():
    @nn.layer
    def norm(params, x, *, key=None):
        return jnp.sqrt(jnp.square(x).sum(-1, keepdims=True))

    check_layer(norm, X)
    with pytest.raises(AssertionError, match="gradients are finite"):
        check_layer(norm, jnp.zeros((2, 4)))


def test_the_leaf_with_a_wrong_gradient_is_named():
    @jax.custom_jvp
    def scale(x, by):
        return x * jnp.broadcast_to(by, x.shape)

    @scale.defjvp
    def _(primals, tangents):
        (x, by), (dx, dby) = primals, tangents
        return scale(x, by), scale(dx, by) + 2 * scale(x, dby)

    @nn.layer
    def wrong(params, x, *, key=None):
        return scale(x, jn.param(params["gain"], "scale", x.shape[-1:], ones))

    with pytest.raises(AssertionError, match="direction of params/gain/scale the gradient says"):
        check_layer(wrong, X)


def custom_sine(rule):
    """The sine, with ``rule(x, cotangent)`` for its derivative."""
    sine = jax.custom_vjp(jnp.sin)
    sine.defvjp(lambda x: (jnp.sin(x), x), lambda x, cotangent: (rule(x, cotangent),))
    return nn.layer(lambda params, x, *, key=None: sine(x))


taken = faulty(claim="gradients can be taken of both calls")
test_gradient_of_another_shape = taken(custom_sine(lambda x, cotangent: cotangent.sum()))
test_gradient_of_another_dtype = taken(
    custom_sine(lambda x, cotangent: (cotangent * jnp.cos(x)).astype(jnp.float32))
)
test_gradient_is_doubled = faulty(claim="gradients are those of central differences")(
    custom_sine(lambda x, cotangent: 2 * cotangent * jnp.cos(x))
)
test_no_forward_mode = faulty(claim="forward mode (jax.jvp) works on the inference call")(
    custom_sine(lambda x, cotangent: cotangent * jnp.cos(x))
)


@faulty(claim="gradients are those of central differences")
def test_gradient_is_stopped_in_training(params, x, *, key=None):
    return x if key is None else jax.lax.stop_gradient(x)


@jax.custom_jvp
def flat_sine(x):
    return jnp.sin(x)


@flat_sine.defjvp
def _(primals, tangents):
    slope = jnp.cos(jax.lax.stop_gradient(primals[0]))
    return flat_sine(primals[0]), slope * tangents[0]


@faulty(claim="second derivatives work")
def test_second_derivative_is_lost(params, x, *, key=None):
    return flat_sine(x)


# Transformations


@faulty(claim="vmap over stacked parameters is a loop over them")
def test_an_ordered_effect_on_a_parameter(params, x, *, key=None):
    scale = jn.param(params, "scale", (), ones)
    io_callback(lambda value: None, None, jax.lax.stop_gradient(scale), ordered=True)
    return x * jnp.broadcast_to(scale, x.shape)


@faulty(claim="jax.checkpoint in a lax.scan changes neither values nor gradients")
def test_an_effect_in_the_call(params, x, *, key=None):
    io_callback(lambda: None, None)
    return 2 * x
