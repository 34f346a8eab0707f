"""The strategies make what they promise."""

import sys

import jax
import jax.numpy as jnp
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from jaxnet import nn, testing
from jaxnet.testing import strategies


@settings(max_examples=30, deadline=None)
@given(strategies.shapes(1, 3, min_size=2, max_size=4), st.data())
def test_inputs_are_finite_and_of_the_asked_kind(shape, data):
    assert 1 <= len(shape) <= 3
    assert set(shape) <= {2, 3, 4}
    dtype = data.draw(strategies.dtypes())
    x = data.draw(strategies.inputs(shape, dtype))
    assert isinstance(x, jax.Array)
    assert (x.shape, x.dtype, x.weak_type) == (shape, dtype, False)
    assert jnp.isfinite(x).all()


@settings(max_examples=20, deadline=None)
@given(strategies.inputs(strategies.shapes(1, 3), strategies.dtypes()), strategies.keys())
def test_they_drive_a_layer(x, key):
    y = nn.Dropout(0.5)({}, x, key=key)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_awkward_values_occur(dtype):
    for value in (0.0, 1e4, -1e4):
        find(strategies.inputs((2,), dtype), lambda x, v=value: bool((x == x.dtype.type(v)).all()))


def test_inputs_are_float():
    with pytest.raises(ValueError, match="inputs are floating point"):
        find(strategies.inputs((2,), jnp.int32), lambda x: True)


def test_without_hypothesis_the_install_line_is_given(monkeypatch):
    monkeypatch.delitem(sys.modules, "jaxnet.testing.strategies")
    monkeypatch.delattr(testing, "strategies")
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ImportError, match=r"pip install -e '\.\[test\]'"):
        _ = testing.strategies
