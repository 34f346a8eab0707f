"""Locally connected layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")


@pytest.mark.parametrize(
    ("shape", "kernel_shape", "options"),
    [
        ((2, 3, 6, 2), (3, 2, 4), {"stride": 2, "padding": "SAME"}),
        ((5, 6, 2), (3, 2, 2, 4), {"padding": ((1, 0), (0, 2)), "dilation": 2}),
        ((1, 4, 3, 3, 2), (2, 1, 2, 2, 3), {"padding": 1}),
    ],
    ids=["1d", "2d", "3d"],
)
def test_one_kernel_at_all_places_is_a_convolution(shape, kernel_shape, options):
    x, kernel, bias = draw(shape), draw(kernel_shape, 1), draw(kernel_shape[-1:], 2)
    y = nn.conv(x, kernel, bias, **options)
    places = y.shape[x.ndim - kernel.ndim + 1 : -1]
    kernels = jnp.broadcast_to(kernel, (*places, *kernel.shape))
    biases = jnp.broadcast_to(bias, (*places, *bias.shape))
    close(nn.local_conv(x, kernels, biases, **options), y)


@pytest.mark.parametrize("preset", ["torch", "keras", "flax"])
def test_each_place_starts_as_a_convolution_would(preset):
    x = draw((1, 9, 32))
    key = jax.random.key(0)
    kernel = nn.LocalConv(64, (3,), initializer=preset).init(key, x)["kernel"]
    usual = nn.Conv(64, (3,), initializer=preset).init(key, x)["kernel"]
    assert kernel.shape == (7, 3, 32, 64)
    np.testing.assert_allclose(kernel.std((1, 2, 3)), np.full(7, usual.std()), rtol=0.05)
    assert abs(kernel[0] - kernel[1]).max() > usual.std()
