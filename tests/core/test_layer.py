import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet as jn
from jaxnet import nn

x = jnp.ones((2, 3))


class Scale(nn.Layer):
    factor: float
    _: dataclasses.KW_ONLY
    act: object = jax.nn.relu

    def __call__(self, params, x, *, key=None):
        return self.factor * x


def test_a_layer_is_a_frozen_hashable_value():
    assert Scale(2.0) == Scale(2.0) != Scale(3.0)
    assert len({Scale(2.0), Scale(2.0), nn.Sequential(Scale(2.0)), nn.Sequential(Scale(2.0))}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        Scale(2.0).factor = 3.0  # pyright: ignore[reportAttributeAccessIssue]


def test_a_layer_can_be_a_static_argument():
    once: Any = chex.assert_max_traces(lambda layer, params, x: layer(params, x), n=1)
    run = jax.jit(once, static_argnums=0)
    assert run(Scale(2.0), {}, x).shape == run(Scale(2.0), {}, x).shape


def test_a_repr_shows_what_differs_from_the_defaults():
    assert repr(Scale(2.0)) == "Scale(2.0)"
    assert repr(Scale(2.0, act=jax.nn.gelu)) == "Scale(2.0, act=gelu)"
    net = nn.Sequential(nn.Linear(4, bias=False), nn.relu, nn.Repeat(nn.MLP(8), 3, remat=True))
    assert repr(net) == "Sequential(Linear(4, bias=False), relu, Repeat(MLP(8), 3, remat=True))"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "Scale.factor is a list, .* give a tuple instead"),
        (jnp.ones(2), r"Scale.factor is float32\[2\], .* make it a param"),
    ],
)
def test_fields_hold_hashable_configuration(value, message):
    with pytest.raises(ValueError, match=message):
        Scale(value)


def test_a_function_becomes_a_layer():
    @nn.layer
    def net(params, x, *, key=None):
        return nn.Linear(4)(params["head"], x)

    params = net.init(jax.random.key(0), x)
    assert isinstance(net, jn.Layer)
    assert net(params, x).shape == (2, 4)
    assert repr(net) == "net"


def test_a_subclass_may_check_its_options_and_inherit():
    class Positive(Scale):
        def __post_init__(self):
            super().__post_init__()
            if self.factor <= 0:
                raise ValueError("factor must be positive")

        def __call__(self, params, x, *, key=None):
            return super().__call__(params, x, key=key) + 1

    assert float(Positive(2.0)({}, x)[0, 0]) == 3
    with pytest.raises(ValueError, match="positive"):
        Positive(-1.0)
    with pytest.raises(ValueError, match="give a tuple"):
        Positive([1.0])  # pyright: ignore[reportArgumentType]


@pytest.mark.oracle("nn.Layer", "nn.layer", "param", gradients=True)
def test_layers_of_ones_own_are_their_formulas():
    class Scale(nn.Layer):
        power: float

        def __call__(self, params, x, *, key=None):
            return jn.param(params, "scale", x.shape[-1:], jax.nn.initializers.ones) * x**self.power

    @nn.layer
    def scale(params, x, *, key=None):
        return Scale(3.0)(params, x, key=key)

    x = jnp.array([0.5, -2.0])
    for layer in (Scale(3.0), scale):
        params = layer.init(jax.random.key(0), x)
        grads = jax.grad(lambda params, x: layer(params, x).sum(), argnums=(0, 1))(params, x)
        np.testing.assert_allclose(layer(params, x), [0.125, -8], rtol=1e-6)
        np.testing.assert_allclose(grads[0]["scale"], [0.125, -8], rtol=1e-6)
        np.testing.assert_allclose(grads[1], [0.75, 12], rtol=1e-6)
