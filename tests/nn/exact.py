"""What tests in float64 share: data, and a tight comparison."""

import jax.numpy as jnp
import numpy as np


def draw(shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def close(a, b):
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
