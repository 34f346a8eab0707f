"""Fractional max-pooling."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")


@pytest.mark.oracle("nn.fractional_max_pool", "nn.fractional_max_pool_with_indices")
@settings(deadline=None, max_examples=8)
@given(st.integers(1, 3), st.integers(0, 9), st.data())
def test_every_window_in_a_loop(k, more, data):
    n = k + more
    m = data.draw(st.integers(1, n - k + 1))
    u = data.draw(st.floats(0, 1, exclude_max=True))
    x = np.random.default_rng(0).normal(size=(1, n, 1))
    pool = jax.jit(functools.partial(nn.fractional_max_pool_with_indices, window=(k,), size=(m,)))
    y, indices = map(np.asarray, pool(x, samples=jnp.full((1, 1, 1), u)))
    step = (n - k) / (m - 1) if m > 1 else 0
    starts = [math.floor((i + u) * step) - math.floor(u * step) for i in range(m - 1)] + [n - k]
    for i, start in enumerate(starts):
        window = x[0, start : start + k, 0]
        assert y[0, i, 0] == window.max()
        assert indices[0, i, 0] == start + window.argmax()


@pytest.mark.oracle("nn.FractionalMaxPool")
def test_a_key_draws_the_samples():
    x, key = draw((2, 3, 9, 8, 4)), jax.random.key(1)
    samples = jax.random.uniform(key, (2, 3, 2, 4), x.dtype)
    layer = jax.jit(functools.partial(nn.FractionalMaxPool(2, ratio=0.6), {}))
    pool = jax.jit(functools.partial(nn.fractional_max_pool, window=2, ratio=0.6))
    drawn = layer(x, key=key)
    assert drawn.shape == (2, 3, 5, 4, 4)
    close(drawn, pool(x, samples=samples))
    close(layer(x), pool(x, samples=jnp.full_like(samples, 0.5)))


def test_channels_and_examples_have_windows_of_their_own():
    x = jnp.broadcast_to(draw((1, 12, 1)), (3, 12, 5))
    pool = jax.jit(functools.partial(nn.fractional_max_pool, window=(2,), size=(7,)))
    y = np.asarray(pool(x, key=jax.random.key(0)))
    assert len({tuple(y[i, :, c]) for i in range(3) for c in range(5)}) > 1


def test_integers():
    x = jnp.arange(35, dtype=jnp.uint8).reshape(5, 7, 1)
    pool = jax.jit(functools.partial(nn.fractional_max_pool, window=2, size=(3, 4)))
    y = pool(x, key=jax.random.key(0))
    assert y.dtype == x.dtype
    assert y[-1, -1, 0] == 34
