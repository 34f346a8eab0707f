"""Resizing: what holds for all sizes, and Keras's filters, which are those of jax.image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet.nn import resize

pytestmark = pytest.mark.usefixtures("strict")
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
SMOOTH = ["linear", "cubic", "lanczos3", "lanczos5", "area"]


@pytest.mark.parametrize("method", ["nearest", "nearest-exact", *SMOOTH])
def test_the_same_size_is_the_same_image(method):
    x = draw((2, 5, 6, 3))
    close(jax.jit(lambda x: resize(x, (5, 6), method=method))(x), x)


@pytest.mark.parametrize("method", SMOOTH)
@settings(deadline=None, max_examples=4)
@given(antialias=st.booleans(), sizes=SIZES)
def test_weights_sum_to_one_and_transpose(method, antialias, sizes):
    options = {"method": method, "antialias": antialias and method != "area"}
    n, m = sizes
    x, dy = draw((n, 2)).at[:, 0].set(1), draw((m, 2), 1)

    @jax.jit
    def run(x):
        y, pull = jax.vjp(lambda x: resize(x, (m,), **options), x)
        return y, *pull(dy)

    y, dx = run(x)
    close(y[:, 0], jnp.ones(m))
    np.testing.assert_allclose(np.vdot(y, dy), np.vdot(x, dx), atol=1e-9)


@pytest.mark.parametrize("coordinates", ["half_pixel", "align_corners"])
@settings(deadline=None, max_examples=4)
@given(sizes=SIZES)
def test_linear_keeps_straight_lines(coordinates, sizes):
    n, m = (size + 1 for size in sizes)
    step = (n - 1) / (m - 1) if coordinates == "align_corners" else n / m
    at = np.arange(m) * step + (0 if coordinates == "align_corners" else step / 2 - 0.5)
    line = jnp.arange(n, dtype=float)[:, None]
    y = jax.jit(lambda x: resize(x, (m,), method="linear", coordinates=coordinates))(line)
    close(y[:, 0], jnp.asarray(np.clip(at, 0, n - 1)))


@settings(deadline=None, max_examples=4)
@given(n=st.integers(1, 6), factor=st.integers(1, 4))
def test_nearest_by_whole_factors_repeats(n, factor):
    x = draw((2, n, 3))
    for method in ("nearest", "nearest-exact"):
        y = jax.jit(lambda x: resize(x, scale=(float(factor),), method=method))(x)
        close(y, jnp.asarray(np.repeat(x, factor, 1)))


def test_nearest_copies_any_value_of_any_dtype():
    x = jnp.asarray([[jnp.inf], [-jnp.inf], [jnp.nan]])
    np.testing.assert_array_equal(resize(x, (2,)), x[:2])
    assert resize(jnp.ones((3, 1), bool), (5,)).dtype == bool


@pytest.mark.oracle("nn.resize", "nn.Resize", gradients=True)
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("method", ["linear", "cubic", "lanczos3", "lanczos5"])
def test_keras_filters(method, antialias):
    x, size = draw((9, 7, 2)), (4, 9)
    options = {"method": method, "antialias": antialias, "exclude_outside": True}
    if method == "cubic":
        options["cubic"] = -0.5

    def theirs(x):
        return jax.image.resize(x, (*size, 2), method, antialias=antialias)

    def with_gradient(f):
        y, pull = jax.vjp(f, x)
        return y, *pull(dy)

    dy = draw((*size, 2), 1)
    ours = jax.jit(with_gradient, static_argnums=0)(lambda x: resize(x, size, **options))
    for a, b in zip(ours, jax.jit(with_gradient, static_argnums=0)(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)  # its weights are float32
