"""Layers that keep channels apart, in terms of ``conv``."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")
OPTIONS = {"stride": 2, "padding": "SAME", "dilation": 2}


def test_depthwise_sees_each_channel_by_itself():
    layer, x = nn.DepthwiseConv((3,), multiplier=2, **OPTIONS), draw((2, 9, 3))
    params = layer.init(jax.random.key(0), x)
    y = layer(params, x)
    for i in range(3):
        kernel, bias = params["kernel"][..., 2 * i : 2 * i + 2], params["bias"][2 * i : 2 * i + 2]
        close(y[..., 2 * i : 2 * i + 2], nn.conv(x[..., i : i + 1], kernel, bias, **OPTIONS))


def test_separable_is_a_convolution_whose_kernel_is_a_product():
    layer, x = nn.SeparableConv(4, (3, 2), multiplier=2, **OPTIONS), draw((2, 7, 6, 3))
    params = layer.init(jax.random.key(0), x)
    assert jax.tree.map(jnp.shape, params) == {
        "depthwise": {"kernel": (3, 2, 1, 6)},
        "pointwise": {"kernel": (6, 4), "bias": (4,)},
    }
    depthwise = params["depthwise"]["kernel"].reshape(3, 2, 3, 2)
    pointwise = params["pointwise"]["kernel"].reshape(3, 2, 4)
    kernel = jnp.einsum("hwim,imo->hwio", depthwise, pointwise)
    close(layer(params, x), nn.conv(x, kernel, params["pointwise"]["bias"], **OPTIONS))


@pytest.mark.parametrize(
    ("preset", "bound"), [("torch", 1 / 3), ("keras", (6 / (9 * (64 + 2))) ** 0.5)]
)
def test_presets_count_fans_as_their_library(preset, bound):
    layer = nn.DepthwiseConv(3, multiplier=2, initializer=preset)
    kernel = layer.init(jax.random.key(0), draw((1, 4, 4, 64)))["kernel"]
    assert 0.98 * bound < abs(kernel).max() <= bound
    np.testing.assert_allclose(kernel.std(), bound / 3**0.5, rtol=0.05)
