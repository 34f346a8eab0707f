"""Pooling to a given size, and over everything."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")
SIZES = st.tuples(st.integers(1, 4), st.integers(1, 4))


@settings(deadline=None, max_examples=4)
@given(size=SIZES, window=SIZES)
def test_sizes_that_divide_are_plain_pooling(size, window):
    x = draw((2, size[0] * window[0], size[1] * window[1], 3))

    @jax.jit
    def both(x):
        adaptive = nn.adaptive_avg_pool(x, size), *nn.adaptive_max_pool_with_indices(x, size)
        return adaptive, (nn.avg_pool(x, window), *nn.max_pool_with_indices(x, window))

    jax.tree.map(close, *both(x))


@pytest.mark.oracle("nn.adaptive_avg_pool", "nn.adaptive_max_pool")
@settings(deadline=None, max_examples=6)
@given(n=st.integers(1, 40), m=st.integers(1, 40))
def test_every_window_in_a_loop(n, m):
    x = np.random.default_rng(0).normal(size=(2, n, 3))
    pools = jax.jit(lambda x: (nn.adaptive_avg_pool(x, (m,)), nn.adaptive_max_pool(x, (m,))))
    mean, largest = map(np.asarray, pools(x))
    for i in range(m):
        window = x[:, i * n // m : -(-(i + 1) * n // m)]
        np.testing.assert_allclose(mean[:, i], window.mean(1), rtol=1e-12)
        np.testing.assert_array_equal(largest[:, i], window.max(1))


def test_of_equal_values_the_first_takes_the_gradient():
    x = jnp.zeros((1, 3, 3, 1))
    dx = jax.grad(lambda x: nn.adaptive_max_pool(x, 2).sum())(x)
    np.testing.assert_array_equal(dx[0, :, :, 0], [[1, 1, 0], [1, 1, 0], [0, 0, 0]])
    dx = jax.grad(lambda x: nn.global_max_pool(x).sum())(x)
    assert dx[0, 0, 0, 0] == dx.sum() == 1


def test_nan_and_infinity_stay_where_they_are():
    x = draw((1, 7, 7, 1)).at[0, 0, 0, 0].set(jnp.nan).at[0, 6, 6, 0].set(-jnp.inf)
    for pool in (nn.adaptive_avg_pool, nn.adaptive_max_pool):
        y = pool(x, 3)[0, :, :, 0]
        assert jnp.isnan(y[0, 0])
        assert jnp.isnan(y).sum() == 1
    _, indices = nn.adaptive_max_pool_with_indices(x, 3)
    assert indices[0, 0, 0, 0] == 0


def test_integers_and_batch_axes():
    x = jnp.asarray(np.random.default_rng(0).integers(-9, 9, (2, 3, 5, 6, 2)), jnp.int8)
    y, indices = nn.adaptive_max_pool_with_indices(x, (2, 4))
    assert y.dtype == x.dtype
    assert y.shape == indices.shape == (2, 3, 2, 4, 2)
    np.testing.assert_array_equal(nn.adaptive_max_pool(x[1, 2], (2, 4)), y[1, 2])
    np.testing.assert_array_equal(nn.global_max_pool(x), x.max((2, 3)))
    assert nn.adaptive_max_pool(x[:0], 2).shape == (0, 3, 2, 2, 2)


def test_second_derivatives_forward_mode_and_vmap():
    x = draw((2, 5, 4, 2))
    for pool in (nn.adaptive_avg_pool, nn.adaptive_max_pool):

        @jax.jit
        def all_of(x):
            curved = jax.jvp(jax.grad(lambda x: jnp.sin(pool(x, 3)).sum()), (x,), (x,))[1]
            y, pull = jax.vjp(lambda x: pool(x, 3), x)
            ahead = jax.jvp(lambda x: pool(x, 3), (x,), (x,))[1]
            return (curved, jax.vmap(lambda x: pool(x, 3))(x)), (pull(-jnp.sin(y) * ahead)[0], y)

        jax.tree.map(close, *all_of(x))


def test_a_masked_mean_ignores_what_is_masked():
    x = draw((2, 3, 4, 2))
    mask = jnp.arange(12).reshape(1, 3, 4) < jnp.array([5, 0]).reshape(2, 1, 1)
    hidden = jnp.where(mask[..., None], x, jnp.nan)
    y, pull = jax.vjp(lambda x: nn.global_avg_pool(x, mask=mask), hidden)
    close(y, jnp.stack([x[0].reshape(12, 2)[:5].mean(0), jnp.zeros(2)]))
    assert jnp.isfinite(pull(y)[0]).all()
