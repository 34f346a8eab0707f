"""Squared, absolute and Huber losses against their formulas in NumPy float64."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxnet import losses

type Array = np.ndarray


@pytest.fixture(autouse=True, scope="module")
def strict() -> Iterator[None]:
    with jax.numpy_dtype_promotion("strict"):
        yield


# Each loss of errors d, and its derivative in the predictions times the number of entries.
FORMULAS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "mean_squared_error": (lambda d: d**2, lambda d: 2 * d),
    "half_mean_squared_error": (lambda d: d**2 / 2, lambda d: d),
    "mean_absolute_error": (np.abs, np.sign),
    "huber": (
        lambda d: np.where(abs(d) <= 1, d**2 / 2, abs(d) - 0.5),
        lambda d: np.clip(d, -1, 1),
    ),
}
SHAPES = [(), (1,), (8,), (8, 1), (2, 3, 4)]
EVERY = pytest.mark.parametrize("name", FORMULAS)


GRADED = {name: jax.jit(jax.value_and_grad(getattr(losses, name), (0, 1))) for name in FORMULAS}


def call(name: str) -> Callable[..., Any]:
    return getattr(losses, name)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Array, Array]:
    shape = draw(st.sampled_from(SHAPES))
    numbers = st.floats(-1e3, 1e3, width=32, allow_subnormal=False) | st.integers(-2, 2).map(float)
    one = arrays(np.float32, shape, elements=numbers)
    return draw(one), draw(one)


@EVERY
@given(pairs())
@settings(deadline=None, max_examples=20)
def test_value_and_derivatives(name: str, pair: tuple[Array, Array]) -> None:
    predictions, targets = pair
    value, slope = FORMULAS[name]
    error = (predictions - targets).astype(np.float64)
    loss, grads = GRADED[name](*map(jnp.asarray, pair))
    assert loss.shape == ()
    assert loss.dtype == jnp.float32
    expected = slope(error) / error.size
    np.testing.assert_allclose(loss, value(error).mean(), rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(grads[0], expected, rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(grads[1], -expected, rtol=1e-5, atol=1e-30)


@EVERY
def test_forward_mode_and_hessian(name: str) -> None:
    p, y = jnp.array([0.0, 0.25, 3.0]), jnp.array([0.0, 1.0, 0.5])
    error = np.asarray(p - y)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(call(name)))(p, y), FORMULAS[name][1](error) / 3)
    curvature = {"mean_squared_error": [2, 2, 2], "half_mean_squared_error": [1, 1, 1],
                 "mean_absolute_error": [0, 0, 0], "huber": [1, 1, 0]}[name]  # fmt: skip
    hessian = jax.jit(jax.hessian(call(name)))(p, y)
    np.testing.assert_allclose(hessian, np.diag(curvature) / 3, rtol=1e-6)


def test_half_the_mean_squared_error_has_the_textbook_derivative() -> None:
    """1/(2n) sum (x w + b - y)^2 has the gradient 1/n X^T (X w + b - y)."""
    rng = np.random.default_rng(0)
    x, w, y = rng.standard_normal((6, 3)), rng.standard_normal(3), rng.standard_normal(6)
    with jax.enable_x64(True):
        params = {"w": jnp.asarray(w), "b": jnp.array(0.3)}
        loss = lambda p: losses.half_mean_squared_error(x @ p["w"] + p["b"], jnp.asarray(y))
        value, grads = jax.value_and_grad(loss)(params)
    error = x @ w + 0.3 - y
    np.testing.assert_allclose(value, (error**2).sum() / (2 * 6), rtol=1e-12)
    np.testing.assert_allclose(grads["w"], x.T @ error / 6, rtol=1e-12)
    np.testing.assert_allclose(grads["b"], error.mean(), rtol=1e-12)


@pytest.mark.parametrize("delta", [0.1, 3.0])
def test_huber_is_quadratic_up_to_delta(delta: float) -> None:
    d = np.linspace(-4, 4, 41)
    expected = np.where(abs(d) <= delta, d**2 / 2, delta * (abs(d) - delta / 2)).mean()
    loss = losses.huber(jnp.asarray(d, jnp.float32), jnp.zeros(41), delta=delta)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


@EVERY
def test_dtypes(name: str) -> None:
    half = jnp.linspace(-2, 2, 9, dtype=jnp.bfloat16)
    assert call(name)(half, jnp.zeros_like(half)).dtype == jnp.float32
    mixed = call(name)(half, jnp.zeros(9, jnp.float32))
    np.testing.assert_array_equal(mixed, call(name)(half.astype(jnp.float32), jnp.zeros(9)))
    assert jax.grad(call(name))(half, jnp.zeros_like(half)).dtype == jnp.bfloat16
    with jax.enable_x64(True):
        assert call(name)(jnp.ones(3, float), np.zeros(3)).dtype == jnp.float64


@EVERY
def test_many_small_bfloat16_errors_do_not_drown(name: str) -> None:
    p = jnp.full(4096, 0.5, jnp.bfloat16)
    expected = FORMULAS[name][0](np.array(0.5))
    np.testing.assert_allclose(call(name)(p, jnp.zeros_like(p)), expected, rtol=1e-6)


@EVERY
def test_jit_and_vmap(name: str) -> None:
    p, y = jnp.asarray(np.random.default_rng(0).standard_normal((2, 4, 3)), jnp.float32)
    np.testing.assert_allclose(jax.jit(call(name))(p, y), call(name)(p, y), rtol=1e-6)
    each = jax.jit(jax.vmap(call(name)))(p, y)
    np.testing.assert_allclose(each.mean(), call(name)(p, y), rtol=1e-6)


X = jnp.ones((8, 1))
ERRORS = {
    r"never broadcasts.*float32\[8,1\].*float32\[8\].*predictions.squeeze\(-1\)": (X, X[:, 0]),
    r"drop the axis of 1: targets.squeeze\(-1\)": (X[:, 0], X),
    r"drop the axis of 1: targets.reshape\(predictions.shape\)": (X[:, 0], X.T),
    r"one shape; if broadcasting is meant, say so": (X, jnp.ones((4, 2))),
    r"the mean of nothing": (X[:0], X[:0]),
    r"the prediction of \w+ must be floating point, but is int32.*astype": (X.astype(int), X),
    r"the target of \w+ must be floating point, but is int32.*astype": (X, X.astype(int)),
    r"the target of \w+ must be floating point, but is bool": (X, X > 0),
    r"the prediction of \w+ must be an array, but is 1.0": (1.0, X),
    r"the target of \w+ must be an array, but is a list": (X, [1.0]),
    r"must be real, but is complex64": (X * (1 + 0j), X),
}


@EVERY
@pytest.mark.parametrize("message", ERRORS)
def test_errors(name: str, message: str) -> None:
    with jax.numpy_dtype_promotion("standard"), pytest.raises(ValueError, match=message) as error:
        call(name)(*ERRORS[message])
    assert name in str(error.value)


@pytest.mark.parametrize("delta", [0.0, -1.0, float("nan")])
def test_huber_needs_a_positive_delta(delta: float) -> None:
    with pytest.raises(ValueError, match="delta of huber must be positive"):
        losses.huber(X, X, delta=delta)


def test_errors_come_under_jit_too() -> None:
    with pytest.raises(ValueError, match="never broadcasts"):
        jax.jit(losses.mean_squared_error)(X, X[:, 0])
