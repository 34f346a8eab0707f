"""``check_layer`` fails on planted faults, and it is the property meant to that fails."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from faults import X, faulty

import jaxnet as jn
from jaxnet import nn
from jaxnet.testing import check_layer

ones = nn.initializers.ones


def test_a_sound_layer_passes_in_silence(capsys):
    @nn.layer
    def sound(params, x, mask, *, key=None):
        y = nn.dropout(nn.Linear(3)(params["linear"], x["features"]), 0.5, key)
        return {"y": jnp.where(mask[..., None], y, jnp.zeros_like(y)), "kept": mask}

    check_layer(sound, {"features": X}, jnp.array([True, False]))
    assert capsys.readouterr().out == ""


def test_the_message_names_the_layer_and_carries_the_cause():
    @nn.layer
    def undecided(params, x, *, key=None):
        return x if x.sum() > 0 else -x

    with pytest.raises(AssertionError, match="undecided breaks the rule: init can trace") as info:
        check_layer(undecided, X)
    assert "TracerBoolConversionError" in str(info.value)
    assert "undecided on float32[2,4]" in str(info.value)
    assert isinstance(info.value.__cause__, jax.errors.TracerBoolConversionError)


@pytest.mark.parametrize("inputs", [(), (X, jnp.ones((3, 4))), (jnp.ones(()),), (2.0,)])
def test_example_inputs_share_a_batch(inputs):
    with pytest.raises(ValueError, match="whose first axis is the batch"):
        check_layer(nn.Linear(3), *inputs)


def test_settings_around_the_check_do_not_matter():
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"), jax.debug_key_reuse(True):
        check_layer(nn.Dropout(0.5), jnp.asarray(X, jnp.float64), key=jax.random.key(3))


# Configuration


class Identity(nn.Layer):
    """Layers that are equal only to themselves compile anew each."""

    def __call__(self, params, x, *, key=None):
        return x

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)


class Counting(nn.Layer):
    calls: int = 0

    def __call__(self, params, x, *, key=None):
        object.__setattr__(self, "calls", self.calls + 1)
        return x


test_equal_only_to_itself = faulty(claim="a layer is hashable and equal to a copy")(Identity())
test_changes_itself = faulty(claim="a second call on equal shapes is not traced again")(Counting())


# Parameters


class OwnInit(nn.Layer):
    """Brings its own parameters, instead of asking for them with jn.param."""

    make: Any

    def __call__(self, params, x, *, key=None):
        return x * params["factor"]

    def init(self, key, /, *inputs, out_shardings=None, **options):
        leaf = jnp.full((4,), 2.0, jnp.float32)
        return {"factor": self.make(leaf), "other": leaf}


leaves = faulty(claim="init gives nested dicts of float arrays")
test_python_leaf = leaves(OwnInit(lambda leaf: 2.0))
test_numpy_leaf = leaves(OwnInit(np.asarray))
test_none_leaf = leaves(OwnInit(lambda leaf: None))
test_integer_leaf = leaves(OwnInit(lambda leaf: leaf.astype(jnp.int32)))
test_list_of_leaves = leaves(OwnInit(lambda leaf: [leaf]))
test_weakly_typed_leaf = leaves(OwnInit(lambda leaf: jnp.asarray(2.0)))
test_one_array_as_two_leaves = leaves(OwnInit(lambda leaf: leaf))


# Output

output = faulty(claim="the output is finite jax.Arrays")


@output
def test_returns_a_python_float(params, x, *, key=None):
    return 0.5


@output
def test_returns_none_in_a_tuple(params, x, *, key=None):
    return x, None


@output
def test_returns_a_numpy_array(params, x, *, key=None):
    return np.zeros(x.shape, np.float32)


@output
def test_output_is_weakly_typed(params, x, *, key=None):
    return jnp.where(x > 0, 1.0, 0.0)


@output
def test_output_is_not_finite(params, x, *, key=None):
    return jnp.log(-jnp.abs(x))


# Determinism and state


@faulty(claim="two calls without a key are equal bit for bit")
def test_random_without_a_key(params, x, *, key=None):
    return x * np.random.default_rng().uniform(1, 2)


counter = [0]


@faulty(claim="two calls without a key are equal bit for bit")
def test_depends_on_global_state(params, x, *, key=None):
    counter[0] += 1
    return x * counter[0]


@faulty(claim="under jit the output is that of the eager call")
def test_differs_under_jit(params, x, *, key=None):
    try:
        return x * float(x.max())
    except jax.errors.ConcretizationTypeError:
        return x


@faulty(claim="one key gives one result")
def test_random_beside_the_key(params, x, *, key=None):
    # A new function each time, for the first trace would fix the number.
    def noise(x):
        return x * np.asarray(np.random.default_rng().uniform(1, 2), x.dtype)

    return x if key is None else jax.pure_callback(noise, x, x)


@faulty(claim="one key gives one result, of the inference call's shapes and dtypes")
def test_returns_more_in_training(params, x, *, key=None):
    return x if key is None else (x, x.mean())


@faulty(claim="where a training call uses its key, different keys give different results")
def test_draws_in_vain(params, x, *, key=None):
    return x if key is None else x + 0 * jax.random.normal(key, x.shape, x.dtype)


def test_dropout_that_seldom_drops_is_random_all_the_same():
    check_layer(nn.Dropout(0.005), X)


# The batch

influence = faulty(claim="at inference the examples of a batch do not influence each other")


@influence
def test_batch_statistics_at_inference(params, x, *, key=None):
    return x - jnp.broadcast_to(x.mean(range(x.ndim - 1)), x.shape)


@influence
def test_fixed_key_inside(params, x, *, key=None):
    return x + jax.random.normal(jax.random.key(0), x.shape, x.dtype)


@influence
def test_sums_over_the_batch(params, x, *, key=None):
    return jnp.broadcast_to(x.sum(), x.shape)


axes = faulty(claim="there may be any batch axes")


@axes
def test_exactly_one_batch_axis(params, x, *, key=None):
    kernel = jn.param(params, "kernel", (x.shape[-1], 3), nn.initializers.lecun_normal)
    return jnp.einsum("bi,io->bo", x, kernel)


@axes
def test_flattens_all_but_the_first_axis(params, x, *, key=None):
    return x.reshape(x.shape[0], -1)


call = faulty(claim="a layer is called as layer(params, x, key=None), on batches of any size")


@call
def test_a_parameter_as_large_as_the_batch(params, x, *, key=None):
    return x + jn.param(params, "bias", x.shape, ones)


@call
def test_takes_no_key(params, x):
    return x
