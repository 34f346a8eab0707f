"""Transposed convolution: the transpose of ``conv``, in the fast form and in XLA's."""

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
    """A convolution that uses all of its input, so that sizes come back."""
    axes = draw_from(st.integers(1, 3))
    groups = draw_from(st.sampled_from([1, 1, 2, 3]))

    def each(low, high):
        return tuple(draw_from(st.integers(low, high)) for _ in range(axes))

    size, stride, dilation, places = each(1, 4), each(1, 3), each(1, 3), each(1, 4)
    inputs, features = (groups * draw_from(st.integers(1, 3)) for _ in range(2))
    axis = list(zip(size, stride, dilation, places, strict=True))
    whole = [(m - 1) * s + (k - 1) * d + 1 for k, s, d, m in axis]
    pads = tuple((n // 3, n // 4) for n in whole)
    # What is left over at the end where places do not use it.
    rest = tuple(draw_from(st.integers(0, s - 1)) for s in stride)
    spatial = [n - sum(p) + r for n, p, r in zip(whole, pads, rest, strict=True)]
    options = {"stride": stride, "padding": pads, "dilation": dilation, "groups": groups}
    shapes = (2, *spatial, inputs), (*size, inputs // groups, features), (2, *places, features)
    return *shapes, options, rest


def swapped(kernel, groups):
    """The kernel of the transpose: inputs and outputs change places in each group."""
    *window, inputs, features = kernel.shape
    split = kernel.reshape(*window, inputs, groups, features // groups)
    return jnp.swapaxes(split, -1, -3).reshape(*window, features // groups, groups * inputs)


@settings(deadline=None, max_examples=8)
@given(cases())
def test_it_is_the_transpose_of_conv(case):
    shape, kernel_shape, out, options, rest = case
    x, kernel, y = draw(shape), draw(kernel_shape, 1), draw(out, 2)

    @jax.jit
    def both(x, kernel, y):
        back = swapped(kernel, options["groups"])
        there = nn.conv(x, kernel, **options)
        again = nn.conv_transpose(y, back, **options, output_padding=rest)
        assert again.shape == x.shape
        return jnp.vdot(there, y), jnp.vdot(x, again)

    forward, backward = both(x, kernel, y)
    np.testing.assert_allclose(forward, backward, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("shape", "kernel_shape", "options"),
    [
        ((2, 3, 4, 20), (3, 4, 20, 2), {"stride": 2, "padding": 1}),
        ((2, 4, 6), (3, 2, 9), {"stride": 2, "padding": "SAME", "groups": 3}),
        ((2, 2, 3, 2, 2), (2, 3, 1, 2, 3), {"stride": (1, 2, 3), "dilation": (3, 2, 1)}),
        ((2, 2, 2, 3), (1, 2, 3, 2), {"stride": 3, "output_padding": 2}),
    ],
    ids=["dense", "groups", "volume", "gaps"],
)
def test_accelerators_compute_the_same(shape, kernel_shape, options, monkeypatch):
    x, kernel = draw(shape), draw(kernel_shape, 1)

    def all_of(x, kernel):
        y, back = jax.vjp(lambda x, k: nn.conv_transpose(x, k, **options), x, kernel)
        return y, *back(jnp.sin(y))

    here = jax.jit(all_of)(x, kernel)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    jaxpr = jax.make_jaxpr(lambda: nn.conv_transpose(x, kernel, **options))()
    assert [eqn.primitive.name for eqn in jaxpr.eqns].count("conv_general_dilated") == 1
    for a, b in zip(here, jax.jit(lambda *args: all_of(*args))(x, kernel), strict=True):
        close(a, b)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("size", "stride"), [(3, 2), (2, 3), (4, 1)])
def test_named_padding_has_the_sizes_of_keras(padding, size, stride):
    y = jax.eval_shape(
        lambda x, k: nn.conv_transpose(x, k, stride=stride, padding=padding),
        jnp.zeros((5, 2)),
        jnp.zeros((size, 2, 3)),
    )
    assert y.shape == (5 * stride + (max(size - stride, 0) if padding == "VALID" else 0), 3)


def test_the_torch_preset_counts_the_fan_in_of_the_transpose():
    layer = nn.ConvTranspose(32, 3, groups=2)
    kernel = layer.init(jax.random.key(0), draw((1, 4, 4, 64)))["kernel"]
    assert kernel.shape == (3, 3, 32, 32)
    bound = 1 / np.sqrt(32 / 2 * 9)
    assert 0.98 * bound < abs(kernel).max() <= bound


def test_a_gradient_in_a_loop_is_canonical():
    x, kernel = draw((1, 2, 3, 4, 20)), draw((4, 4, 20, 2), 1)

    def step(kernel, x):
        loss = lambda x, k: jnp.square(nn.conv_transpose(x, k, stride=2, padding=1)).sum()
        dx, dkernel = jax.grad(loss, (0, 1))(x, kernel)
        return kernel - dkernel, dx

    text = str(jax.make_jaxpr(lambda k, xs: jax.lax.scan(step, k, xs))(kernel, x))
    assert text.count("conv_general_dilated") == 3
    assert text.count("lhs_spec=(0, 3, 1, 2), rhs_spec=(3, 2, 0, 1), out_spec=(0, 3, 1, 2)") == 3
    assert "lhs_dilation=(2" not in text
