"""What a distance is, and derivatives where it is 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn

ORDERS = [1.0, 1.5, 2.0, 3.0, float("inf")]


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(ORDERS), st.integers(0, 99))
def test_a_metric(p, seed):
    x = draw((6, 3), seed).astype(jnp.float32)
    d = np.asarray(nn.cdist(x, x, p=p))
    assert (d >= 0).all()
    np.testing.assert_array_equal(np.diag(d), 0)
    np.testing.assert_allclose(d, d.T, rtol=1e-6)
    through = (d[:, :, None] + d[None]).min(1)
    assert (d <= through + 1e-5).all()
    upper = np.triu_indices(6, 1)
    np.testing.assert_allclose(nn.pdist(x, p=p), d[upper], rtol=1e-6)


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0, float("inf")])
def test_all_derivatives_are_finite_where_points_meet(strict, p):
    x = jnp.concatenate([draw((2, 2)), jnp.zeros((2, 2))])

    @jax.jit
    def derivatives(x):
        far = lambda x: nn.cdist(x, x, p=p)
        return jax.grad(lambda x: far(x)[2, 3])(x), jax.hessian(lambda x: far(x).sum())(x)

    grad, hessian = derivatives(x)
    close(grad, jnp.zeros_like(x))
    assert jnp.isfinite(hessian).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 99), st.floats(0.1, 100), st.floats(0.1, 100))
def test_cosine_similarity_sees_directions_only(seed, a, b):
    x, y = draw((2, 4, 3), seed).astype(jnp.float32)
    alike = nn.cosine_similarity(x, y)
    assert (abs(alike) <= 1 + 1e-6).all()
    np.testing.assert_allclose(nn.cosine_similarity(a * x, b * y), alike, atol=1e-5)
    np.testing.assert_allclose(nn.cosine_similarity(x, a * x), 1, atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_sixteen_bits_do_not_overflow(dtype):
    x, y = jnp.full((2, 300), 300, dtype), jnp.zeros((2, 300), dtype)
    for found in (nn.pairwise_distance(x, y), nn.cdist(x, y), nn.cosine_similarity(x, x)):
        assert found.dtype == dtype
        assert jnp.isfinite(found).all()
    assert float(nn.cosine_similarity(x, x)[0]) == pytest.approx(1, rel=0.01)
