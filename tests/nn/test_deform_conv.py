"""Deformable convolution where plain ones say what it must give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")
CASES = {
    "1d": ((2, 3, 7, 4), (3, 4, 2), {"padding": "SAME", "stride": 2}),
    "2d": ((2, 5, 6, 4), (3, 2, 2, 6), {"padding": 1, "dilation": 2, "groups": 2}),
    "3d": ((1, 3, 4, 3, 2), (2, 2, 1, 2, 3), {"padding": ((1, 0), (0, 2), (0, 0))}),
}


@pytest.mark.parametrize("case", CASES)
def test_without_offsets_it_is_a_convolution(case):
    shape, kernel_shape, options = CASES[case]
    x, kernel = draw(shape), draw(kernel_shape, 1)
    axes, taps = kernel.ndim - 2, np.prod(kernel_shape[:-2])

    @jax.jit
    def both(x, kernel):
        y = nn.conv(x, kernel, **options)
        offsets = jnp.zeros((*y.shape[:-1], 2 * axes * taps))
        mask = jnp.full((*y.shape[:-1], 2 * taps), 0.5)
        return y / 2, nn.deform_conv(x, offsets, kernel, mask=mask, **options)

    close(*both(x, kernel))


def test_whole_offsets_move_the_input():
    x, kernel = draw((2, 8, 9, 4)), draw((3, 3, 4, 2), 1)
    moves = jnp.tile(jnp.array([2.0, -1.0]), (2, 6, 7, 9))
    y, moved = nn.conv(x, kernel), jax.jit(nn.deform_conv)(x, moves, kernel)
    close(moved[:, :-2, 1:], y[:, 2:, :-1])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_far_outside_there_is_nothing_and_no_gradient(dtype):
    x, kernel = draw((1, 5, 2)).astype(dtype), draw((2, 2, 3), 1).astype(dtype)
    far = jnp.array([6e4, -6e4, 50, -50, 7, -7, 3e4, 6e4]).astype(dtype).reshape(1, 4, 2)

    @jax.jit
    def pulled(x, far):
        y, back = jax.vjp(lambda x, far: nn.deform_conv(x, far, kernel), x, far)
        return y, *back(jnp.ones_like(y))

    for found in pulled(x, far):
        assert found.dtype == dtype and not found.any()
