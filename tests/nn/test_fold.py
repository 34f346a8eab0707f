"""Columns of windows, and what adding them up gives."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")


@st.composite
def cases(draw_from):
    axes = draw_from(st.integers(1, 3))

    def each(low, high):
        return tuple(draw_from(st.integers(low, high)) for _ in range(axes))

    window, dilation = each(1, 3), each(1, 2)
    spatial = tuple((k - 1) * d + n for k, d, n in zip(window, dilation, each(1, 4), strict=True))
    padding = draw_from(st.sampled_from(["VALID", "SAME", "CAUSAL", 1]))
    return spatial, window, {"stride": each(1, 3), "padding": padding, "dilation": dilation}


@settings(deadline=None, max_examples=6)
@given(cases())
def test_fold_is_the_transpose_of_unfold(case):
    spatial, window, options = case
    x = draw((2, *spatial, 3))

    @jax.jit
    def both(x):
        columns = nn.unfold(x, window, **options)
        other = jnp.cos(columns)
        back = nn.fold(other, spatial, window, **options)
        return columns, back, jnp.vdot(columns, other), jnp.vdot(x, back)

    columns, back, there, here = both(x)
    assert back.shape == x.shape
    assert columns.shape[-1] == 3 * np.prod(window)
    np.testing.assert_allclose(there, here, rtol=1e-9, atol=1e-9)


def test_folding_what_was_unfolded_counts_the_windows():
    x = draw((2, 5, 3))
    back = nn.fold(nn.unfold(x, (3,)), 5, (3,))
    close(back, x * jnp.array([1.0, 2, 3, 2, 1]).reshape(1, 5, 1))
    apart = draw((2, 3, 4, 6, 2))
    close(nn.fold(nn.unfold(apart, 2, stride=2), (4, 6), 2, stride=2), apart)


def test_columns_times_a_flat_kernel_are_a_convolution():
    x, kernel = draw((2, 6, 5, 3)), draw((3, 2, 3, 4), 1)
    options: Any = {"stride": 2, "padding": 1}
    flat = kernel.transpose(2, 0, 1, 3).reshape(-1, 4)  # channels first, as columns have them
    close(nn.unfold(x, (3, 2), **options) @ flat, nn.conv(x, kernel, **options))
