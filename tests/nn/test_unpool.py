"""Max-unpooling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")


@settings(deadline=None, max_examples=5)
@given(
    size=st.tuples(st.integers(3, 7), st.integers(3, 7)),
    window=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3),
)
def test_the_maxima_are_back_in_their_places(size, window, stride):
    x = 1 + jnp.abs(draw((2, *size, 3)))

    @jax.jit
    def back_and_forth(x):
        y, indices = nn.max_pool_with_indices(x, window, stride=stride)
        back = nn.max_unpool(y, indices, window, stride=stride, size=size)
        return y, back, nn.max_pool(back, window, stride=stride)

    y, back, again = back_and_forth(x)
    np.testing.assert_array_equal(back, np.where(back, x, 0))
    assert (np.count_nonzero(back, (1, 2)) <= y.shape[1] * y.shape[2]).all()
    close(again, y)


def test_each_place_takes_the_gradient():
    y, indices = jnp.ones((2, 1)), jnp.array([[1], [1]])
    x, pull = jax.vjp(lambda y: nn.max_unpool(y, indices, (2,), stride=1), y)
    np.testing.assert_array_equal(x[:, 0], [0, 1, 0])
    np.testing.assert_array_equal(pull(jnp.array([[5.0], [7.0], [9.0]]))[0], [[7], [7]])


def test_integers_and_batch_axes():
    y = jnp.arange(1, 25, dtype=jnp.int16).reshape(2, 3, 2, 2)
    indices = jnp.tile(jnp.array([[0], [3]]), (2, 3, 1, 2))
    x = nn.max_unpool(y, indices, (2,))
    assert x.dtype == jnp.int16
    np.testing.assert_array_equal(x[..., ::3, :], y)
    assert not x[..., 1:3, :].any()
    assert nn.max_unpool(y[:0], indices[:0], (2,)).shape == (0, 3, 4, 2)


def test_positions_that_are_traced_and_too_large_are_dropped():
    unpool = jax.jit(lambda y, indices: nn.max_unpool(y, indices, (2,)))
    assert not unpool(jnp.ones((1, 1)), jnp.array([[2]])).any()
