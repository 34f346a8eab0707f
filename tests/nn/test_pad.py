"""Padding: what is added comes off again."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet.nn import center_crop_pad, pad

pytestmark = pytest.mark.usefixtures("strict")
MODES: dict[str, Any] = {
    "constant": "constant",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "replicate": "edge",
    "circular": "wrap",
}


@st.composite
def widths(draw_from):
    axes = draw_from(st.integers(1, 3))
    width = st.integers(0, 3)
    return tuple((draw_from(width), draw_from(width)) for _ in range(axes))


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None, max_examples=4)
@given(widths=widths())
def test_pads_as_numpy_and_crops_back(mode, widths):
    x = draw((2, *range(4, 4 + len(widths)), 3))

    @jax.jit
    def run(x):
        y, pull = jax.vjp(lambda x: pad(x, widths, mode=mode), x)
        return y, pad(y, tuple((-low, -high) for low, high in widths)), *pull(jnp.sin(y))

    y, back, pulled = run(x)
    close(y, jnp.asarray(np.pad(x, [(0, 0), *widths, (0, 0)], MODES[mode])))
    close(back, x)
    # A linear map and its transpose.
    np.testing.assert_allclose(np.vdot(y, np.sin(y)), np.vdot(x, pulled))


@settings(deadline=None, max_examples=8)
@given(n=st.integers(1, 7), m=st.integers(1, 7))
def test_center_crop_pad_comes_back(n, m):
    x = draw((2, n, 3))
    y, back = jax.jit(lambda x: (y := center_crop_pad(x, (m,)), center_crop_pad(y, (n,))))(x)
    start = abs(n - m) // 2
    wanted = (
        np.pad(x, [(0, 0), (start, m - n - start), (0, 0)]) if m > n else x[:, start : start + m]
    )
    close(y, jnp.asarray(wanted))
    if m > n and (m - n) % 2 == 0:
        close(back, x)
