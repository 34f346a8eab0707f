"""State spaces against loops over time, and what holds for any of them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn
from jaxnet.core.blueprint import specs
from jaxnet.nn.statespace import as_tree, one_by_one

pytestmark = pytest.mark.usefixtures("strict")

WAYS = (one_by_one, as_tree)

LAYERS = {
    "causal conv": nn.CausalConv(4),
    "mamba": nn.Mamba(state=2, chunk=3),
    "s5": nn.S5(4),
    "rglru": nn.RGLRU(blocks=2),
}


def params_of(layer, x):
    return jax.tree.map(lambda leaf: draw(leaf.shape, leaf.size), specs(layer, x))


@functools.partial(jax.jit, static_argnums=0)
def scan(layer, params, x, state=None, lengths=None):
    return layer.scan(params, x, state, lengths)


@settings(max_examples=5, deadline=None)
@given(st.integers(1, 9), st.booleans(), st.integers(0, 99))
def test_a_linear_recurrence_is_a_loop(time, is_complex, seed):
    x, decay = draw((2, time, 3), seed), draw((2, time, 3), seed + 1)
    h = draw((2, 3), seed + 2)
    if is_complex:
        x, decay, h = (jax.lax.complex(v, jnp.sin(v)) for v in (x, decay, h))
    ways = [jax.vjp(lambda *args, way=way: way(*args, 1), x, decay, h) for way in WAYS]
    found, expected = nn.linear_recurrence(x, decay, h), []
    for t in range(time):
        h = decay[:, t] * h + x[:, t]
        expected.append(h)
    ys = jnp.stack(expected, 1)
    jax.tree.map(close, found, (h, ys))
    # CPUs take the first way, other devices the second.
    for y, pull in ways:
        close(y, ys)
        jax.tree.map(close, pull(ys), ways[0][1](ys))


@pytest.mark.parametrize("name", LAYERS)
def test_parts_with_the_state_handed_on_are_the_whole(name):
    layer = LAYERS[name]
    x = draw((2, 6, 4))
    params = params_of(layer, x)
    expected = scan(layer, params, x)
    for parts in (jnp.split(x, 2, 1), jnp.split(x, 6, 1)):
        state, ys = layer.initial(x), []
        for part in parts:
            state, y = scan(layer, params, part, state)
            ys.append(y)
        jax.tree.map(close, (state, jnp.concatenate(ys, 1)), expected)


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_behind_the_end_counts_for_nothing(name):
    layer = LAYERS[name]
    x = draw((3, 5, 4))
    params = params_of(layer, x)
    before = scan(layer, params, draw((3, 2, 4), 1))[0]
    state, y = scan(layer, params, x, before, jnp.array([3, 0, 5]))
    for i, length in enumerate((3, 0, 5)):
        alone = jax.tree.map(lambda s, i=i: s[i], before)
        expected = alone, y[i, :0]
        if length:
            expected = scan(layer, params, x[i, :length], alone)
        jax.tree.map(close, (jax.tree.map(lambda s, i=i: s[i], state), y[i, :length]), expected)
        assert not y[i, length:].any()


@settings(max_examples=4, deadline=None)
@given(st.integers(1, 8))
def test_the_size_of_a_chunk_does_not_matter(chunk):
    x, dt = draw((7, 2)), jnp.exp(draw((7, 2), 1))
    rest = -jnp.exp(draw((2, 3), 2)), draw((7, 3), 3), draw((7, 3), 4), draw((2,), 5)

    def run(x, dt, chunk):
        return nn.selective_scan(x, dt, *rest, chunk=chunk)

    jax.tree.map(close, run(x, dt, chunk), run(x, dt, 7))


def test_time_may_come_first():
    x = draw((5, 2, 4))
    layer = nn.RGLRU(time_major=True)
    params = params_of(layer, x)
    close(layer(params, x), nn.RGLRU()(params, x.swapaxes(0, 1)).swapaxes(0, 1))


def test_s5_starts_with_the_poles_of_hippo_n():
    params = nn.S5(12, blocks=2).init(jax.random.key(0), draw((5, 2)))
    order = np.arange(6)
    root = np.sqrt(2 * order + 1)
    legs = -np.where(order[:, None] > order, np.outer(root, root), np.diag(order + 1))
    poles = np.linalg.eigvals(legs + np.outer(root, root) / 2)
    poles = poles[poles.imag > 0]
    frequencies = np.tile(np.sort(poles.imag), 2)
    np.testing.assert_allclose(params["frequency"], frequencies, rtol=1e-9)
    np.testing.assert_allclose(-np.exp(params["log_decay"]), np.tile(poles.real, 2), rtol=1e-9)


def test_s5_has_variance_one_of_inputs_and_outputs_on_its_modes():
    x = jnp.zeros((1, 300))
    params = nn.S5(64, blocks=2).init(jax.random.key(0), x)
    # A unitary change of basis keeps norms, of which half the modes have half.
    squares = {name: float((params[name] ** 2).sum()) for name in ("input", "output")}
    assert squares["input"] == pytest.approx(64 / 2, rel=0.1)
    assert squares["output"] == pytest.approx(300 / 2, rel=0.1)


def test_first_steps_and_decays_are_in_their_ranges():
    x = jnp.zeros((1, 50))
    params = nn.Mamba(steps=(0.01, 0.2)).init(jax.random.key(0), x)
    steps = jax.nn.softplus(params["dt_proj"]["bias"])
    assert 0.01 <= steps.min() < 0.02
    assert 0.15 < steps.max() <= 0.2
    np.testing.assert_allclose(np.exp(params["A_log"][7]), np.arange(1, 17))
    params = nn.RGLRU(radius=(0.5, 0.9), power=3.0).init(jax.random.key(0), x)
    radius = np.exp(-3 * jax.nn.softplus(params["decay"]))
    assert 0.5 <= radius.min() < 0.55
    assert 0.85 < radius.max() <= 0.9


def test_gates_may_be_shut_or_open_all_the_way():
    x = jnp.ones((3, 2), jnp.float16)

    @jax.jit
    @functools.partial(jax.value_and_grad, argnums=(0, 1, 2))
    def total(x, gate, decay):
        return nn.rg_lru(x, gate, gate, decay)[1].astype(jnp.float32).sum()

    for gate in (-6e4, 6e4):
        for decay in (-6e4, 6e4):
            inputs = x, jnp.full_like(x, gate), jnp.full_like(x[0], decay)
            value, grads = total(*inputs)
            assert jnp.isfinite(value)
            assert all(jnp.isfinite(grad).all() for grad in grads)


def test_a_state_is_in_float32_at_least():
    x = draw((1, 4))
    for name in ("mamba", "rglru", "s5"):
        params = params_of(LAYERS[name], x)
        params, narrow = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), (params, x))
        state, y = scan(LAYERS[name], params, narrow)
        assert jax.tree.leaves(state)[-1].dtype in (jnp.float32, jnp.complex64)
        assert y.dtype == jnp.bfloat16
