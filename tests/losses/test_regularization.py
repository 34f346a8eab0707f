"""Penalties against NumPy, and which leaves they count."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxnet import losses

type Penalty = Callable[..., jax.Array]

numbers = st.integers(-1000, 1000).map(lambda n: n / 8)


first = jax.jit(jax.value_and_grad(lambda p: losses.l1(p, "**/kernel")))
second = jax.jit(jax.value_and_grad(lambda p: losses.l2(p, "**/kernel", "**/bias")))


@pytest.mark.oracle("losses.l1", "losses.l2", gradients=True)
@given(arrays(np.float32, (3, 2), elements=numbers), arrays(np.float32, 2, elements=numbers))
@settings(deadline=None, max_examples=20)
def test_values_and_gradients(kernel: np.ndarray, bias: np.ndarray) -> None:
    params = {"head": {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}}
    value, grads = first(params)
    np.testing.assert_allclose(value, np.abs(kernel.astype(float)).sum(), rtol=1e-6)
    np.testing.assert_array_equal(grads["head"]["kernel"], np.sign(kernel))
    np.testing.assert_array_equal(grads["head"]["bias"], 0 * bias)
    value, grads = second(params)
    expected = (kernel.astype(float) ** 2).sum() + (bias.astype(float) ** 2).sum()
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(grads["head"]["kernel"], 2 * kernel)
    np.testing.assert_allclose(grads["head"]["bias"], 2 * bias)


@pytest.mark.parametrize("penalty", [losses.l1, losses.l2])
def test_statistics_are_never_included(penalty: Penalty) -> None:
    ones = jnp.ones(3)
    params = {"bn": {"scale": ones, "stats": {"mean": 5 * ones}}, "stats": {"x": ones}}
    value, grads = jax.value_and_grad(penalty)(params, "**")
    assert value == 3
    assert not grads["bn"]["stats"]["mean"].any()
    assert not grads["stats"]["x"].any()
    with pytest.raises(ValueError, match="matches no path"):
        penalty(params, "**/mean")


@pytest.mark.parametrize("penalty", [losses.l1, losses.l2])
def test_dtypes(penalty: Penalty) -> None:
    with jax.numpy_dtype_promotion("strict"):
        params = {"a": jnp.full(4096, 0.5, jnp.bfloat16), "b": jnp.zeros(2)}
        value = penalty(params, "**")
        assert value.dtype == jnp.float32
        assert value == {losses.l1: 2048, losses.l2: 1024}[penalty]
        assert jax.grad(penalty)(params, "**")["a"].dtype == jnp.bfloat16
        assert penalty({}, "**").dtype == jnp.float32


@pytest.mark.parametrize("name", ["l1", "l2"])
def test_errors(name: str) -> None:
    penalty = getattr(losses, name)
    with pytest.raises(ValueError, match=rf"{name} needs the paths.*{name}\(params, '\*\*/kernel'"):
        penalty({"kernel": jnp.ones(2)})
    with pytest.raises(ValueError, match="'kernle' matches no path; did you mean 'kernel'"):
        penalty({"kernel": jnp.ones(2)}, "kernle")
