"""What holds for activations on all inputs, and for those that draw."""

import copy
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn

key = jax.random.key(0)
SMOOTH = (
    nn.sigmoid, nn.log_sigmoid, nn.tanh, nn.tanh_shrink, nn.soft_sign, nn.softplus, nn.squareplus,
    nn.sparse_plus, nn.mish, nn.gelu, nn.gelu_tanh, nn.silu, nn.swish,
)  # fmt: skip
KINKED = (
    nn.relu, nn.relu6, nn.leaky_relu, nn.rrelu, nn.elu, nn.celu, nn.selu, nn.thresholded_relu,
    nn.shrink, nn.hard_shrink, nn.soft_shrink, nn.hard_tanh, nn.hard_sigmoid, nn.hard_swish,
    nn.sparse_sigmoid,
)  # fmt: skip


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_finite_in_the_whole_range(dtype):
    most = float(jnp.finfo(dtype).max) / 4
    near = jnp.asarray([0.0, 1e-3, 0.5, 1.0, 3.0, 6.0, 20.0, 90.0, 300.0], dtype)
    x = jnp.concatenate([near, -near, jnp.asarray([-most, most], dtype)])

    @jax.jit
    def both(x):
        slope = lambda f: jax.grad(lambda x: f(x).astype(jnp.float32).sum())
        return [(f(x), slope(f)(x)) for f in SMOOTH + KINKED]

    for f, (y, dy) in zip(SMOOTH + KINKED, both(x), strict=True):
        assert y.dtype == dtype, f
        assert jnp.isfinite(y).all(), f
        assert jnp.isfinite(dy).all(), f


def test_gelu_is_exact_to_the_rounding_of_its_input():
    x = np.linspace(-12, 12, 4001, dtype=np.float32)
    exact = np.array([v * math.erfc(-v / math.sqrt(2)) / 2 for v in x.tolist()])
    assert (abs(nn.gelu(jnp.asarray(x)) - exact) <= 2**-22 * abs(x)).all()
    slope = [
        math.erfc(-v / math.sqrt(2)) / 2 + v * math.exp(-v * v / 2) / math.sqrt(2 * math.pi)
        for v in x.tolist()
    ]
    np.testing.assert_allclose(jax.vmap(jax.grad(nn.gelu))(x), slope, atol=3e-7)


def test_smooth_ones_have_smooth_second_derivatives(strict):
    x = jnp.linspace(-4, 4, 8)
    for f in SMOOTH:
        second = jax.jit(jax.vmap(jax.grad(jax.grad(f))))(x)
        step = 1e-4
        close_to = (f(x + step) - 2 * f(x) + f(x - step)) / step**2
        np.testing.assert_allclose(second, close_to, atol=1e-6, err_msg=f.__name__)


@settings(max_examples=25, deadline=None)
@given(st.floats(-5, 5), st.floats(0, 3))
def test_shrinking_by_its_closed_forms(x, threshold):
    array = jnp.asarray(x, jnp.float32)
    x = float(array)
    soft = nn.soft_shrink(array, threshold=threshold)
    assert np.isclose(soft, np.sign(x) * max(abs(x) - np.float32(threshold), 0), atol=1e-6)
    hard = nn.hard_shrink(array, threshold=threshold)
    assert float(hard) == (x if abs(x) > np.float32(threshold) else 0)
    inside = nn.hard_tanh(array, low=-threshold - 0.1, high=threshold + 0.1)
    assert np.isclose(inside, np.clip(x, -threshold - 0.1, threshold + 0.1))


SCORES = st.lists(st.floats(-50, 50), min_size=6, max_size=6)


@settings(max_examples=25, deadline=None)
@given(SCORES, st.floats(-20, 20))
def test_shares_sum_to_one_and_do_not_see_a_shift(scores, shift):
    x = jnp.asarray(scores, jnp.float32)
    for f in (nn.softmax, nn.softmin, nn.sparsemax, nn.hardmax, nn.gumbel_softmax):
        y = f(x)
        assert np.isclose(y.sum(), 1, atol=1e-5)
        assert (y >= 0).all()
        if f is not nn.hardmax:  # which of two near ones is larger may change by rounding
            np.testing.assert_allclose(f(x + shift), y, atol=1e-4)
    np.testing.assert_allclose(jnp.exp(nn.log_softmax(x)), nn.softmax(x), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=6, max_size=6), st.integers(0, 2**32 - 1))
def test_nothing_in_the_simplex_is_nearer_than_sparsemax(scores, seed):
    x = np.asarray(scores)
    ours = np.asarray(nn.sparsemax(jnp.asarray(x, jnp.float32)), np.float64)
    assert (ours >= 0).all()
    assert np.isclose(ours.sum(), 1)
    others = np.random.default_rng(seed).dirichlet(np.ones(len(x)), 20)
    others = np.concatenate([others, np.eye(len(x))])
    assert (np.square(others - x).sum(-1) >= np.square(ours - x).sum() - 1e-5).all()


def test_a_masked_row_is_zeros_with_zero_gradients(strict):
    x, mask = draw((2, 3)), jnp.array([[True, False, True], [False] * 3])
    y, pull = jax.vjp(lambda x: nn.softmax(x, mask=mask), x)
    assert (y[1] == 0).all()
    grad = pull(draw((2, 3), 1))[0]
    assert (grad[~mask] == 0).all()
    close(y[0, ::2], nn.softmax(x[0, ::2]))


@pytest.mark.oracle("nn.gumbel_softmax", gradients=True)
def test_gumbel_softmax_draws_from_softmax(strict):
    logits = jnp.array([0.0, 1.0, 2.0, -1.0])
    many = jnp.broadcast_to(logits, (40_000, 4))
    hard = nn.gumbel_softmax(many, key, temperature=0.3, hard=True)
    assert ((hard == 0) | (hard == 1)).all()
    assert (hard.sum(-1) == 1).all()
    np.testing.assert_allclose(hard.mean(0), nn.softmax(logits), atol=0.012)
    soft, pull = jax.vjp(lambda x: nn.gumbel_softmax(x, key, temperature=0.3), many)
    close(hard, nn.hardmax(soft))
    # The softmax's derivative at what was drawn.
    pulled = jnp.cos(many + soft)
    expected = soft * (pulled - (pulled * soft).sum(-1, keepdims=True)) / 0.3
    close(pull(pulled)[0], expected)
    straight = jax.vjp(lambda x: nn.gumbel_softmax(x, key, temperature=0.3, hard=True), many)[1]
    close(straight(pulled)[0], expected)


@pytest.mark.oracle("nn.rrelu", "nn.RReLU", gradients=True)
def test_random_slopes_are_uniform_and_are_the_gradient(strict):
    x = draw((200, 300))
    y, pull = jax.vjp(lambda x: nn.RReLU(lower=0.2, upper=0.6)({}, x, key=key), x)
    grad = pull(jnp.ones_like(x))[0]
    close(y, grad * x)
    assert (grad[x > 0] == 1).all()
    slopes = np.sort(np.asarray(grad[x <= 0]))
    assert slopes[0] >= 0.2
    assert slopes[-1] <= 0.6
    np.testing.assert_allclose(slopes, np.linspace(0.2, 0.6, len(slopes)), atol=0.005)


@pytest.mark.oracle("nn.Activation", gradients=True)
def test_a_function_with_options_as_a_layer(strict):
    layer = nn.Activation(nn.elu, alpha=0.5)
    x = draw((3, 4))
    y, pull = jax.vjp(lambda x: layer({}, x), x)
    close(y, jnp.where(x > 0, x, 0.5 * (jnp.exp(x) - 1)))
    close(pull(x)[0], jnp.where(x > 0, x, 0.5 * x * jnp.exp(x)))
    assert layer == copy.copy(layer) == nn.Activation(nn.elu, alpha=0.5)
    assert hash(layer) == hash(nn.Activation(nn.elu, alpha=0.5))
    assert layer != nn.Activation(nn.elu, alpha=0.6)
    assert repr(nn.Sequential(layer)) == "Sequential(Activation(elu, alpha=0.5))"


def test_snake_is_smooth_where_alpha_is_zero(strict):
    x = draw((3,))
    y, (dx, da) = jax.value_and_grad(lambda x, a: nn.snake(x, a).sum(), (0, 1))(x, jnp.zeros(3))
    close(y, x.sum())
    close(dx, jnp.ones(3))
    close(da, x**2)


def test_straight_through_is_exact_even_where_the_surrogate_is_not_finite():
    value, surrogate = jnp.array([0.1, 2.0]), jnp.array([jnp.inf, 1e30])
    y, tangent = jax.jvp(nn.straight_through, (value, surrogate), (value, surrogate))
    np.testing.assert_array_equal(y, value)
    np.testing.assert_array_equal(tangent, surrogate)
