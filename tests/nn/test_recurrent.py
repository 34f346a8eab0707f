"""Recurrence against NumPy loops and their hand-written gradients, and what holds for any of it."""

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
from jaxnet.nn.cell import Cell

pytestmark = pytest.mark.usefixtures("strict")

RELU = nn.RNNCell(3, activation=nn.relu)
LAYERS = {
    "lstm": nn.LSTM(3, layers=2, projection=2),
    "gru": nn.GRU(3, reset="before"),
    "stacked": nn.Recurrent(nn.StackedCells(nn.LSTMCell(3), nn.MinimalGatedCell(2))),
    "convolutional": nn.ConvLSTM(2, (3,), padding="SAME"),
}
BOTH_WAYS = {
    "lstm": nn.LSTM(3, layers=2, bidirectional=True),
    "gru": nn.GRU(3, reverse=True),
    "convolutional": nn.Bidirectional(nn.ConvLSTM(2, (3,), padding="SAME"), merge="sum"),
}


def leaves(inputs=4, features=3, seed=0):
    shapes = {"kernel": (inputs, features), "recurrent": (features, features), "bias": (features,)}
    return {name: draw(shape, seed + i) for i, (name, shape) in enumerate(shapes.items())}


def relu_rnn(p, x):
    """Outputs for ``x [B, T, I]``, and the gradients by hand."""
    kernel, recurrent, bias = (np.asarray(p[name]) for name in ("kernel", "recurrent", "bias"))
    x = np.asarray(x)
    hs = [np.zeros((len(x), len(bias)))]
    for t in range(x.shape[1]):
        hs.append(np.maximum(x[:, t] @ kernel + hs[-1] @ recurrent + bias, 0))

    def pull(dy):
        grads = {name: np.zeros(leaf.shape) for name, leaf in p.items()}
        dx, dh = np.zeros_like(x), 0
        for t in reversed(range(x.shape[1])):
            dz = (dy[:, t] + dh) * (hs[t + 1] > 0)
            grads["kernel"] += x[:, t].T @ dz
            grads["recurrent"] += hs[t].T @ dz
            grads["bias"] += dz.sum(0)
            dx[:, t], dh = dz @ kernel.T, dz @ recurrent.T
        return grads, dx

    return np.stack(hs[1:], 1), pull


def pulled(layer, params, x):
    """Value and gradients for the cotangent ``sin(y)``."""

    def run(params, x):
        y, pull = jax.vjp(layer, params, x)
        return y, *pull(jnp.sin(y))

    return jax.jit(run)(params, x)


def init(layer, x):
    return jax.tree.map(lambda leaf: draw(leaf.shape, leaf.size), specs(layer, x))


def inputs(layer, steps=6):
    """A batch of three sequences."""
    return draw((3, steps, 4, 2) if "Conv" in repr(layer) else (3, steps, 4))


@pytest.mark.oracle("nn.Recurrent", gradients=True)
def test_a_cell_along_time_is_a_loop():
    p, x = leaves(), inputs(RELU)
    y, pull = relu_rnn(p, x)
    grads, dx = pull(np.sin(y))
    jax.tree.map(close, pulled(nn.Recurrent(RELU), p, x), (y, grads, dx))
    # The layer of such cells, at which PyTorch's nonlinearity="relu" arrives, too.
    found = pulled(nn.RNN(3, activation=nn.relu), {"0": p}, x)
    jax.tree.map(close, found, (y, {"0": grads}, dx))


@pytest.mark.oracle("nn.StackedCells", gradients=True)
def test_stacked_cells_are_loops_one_after_the_other():
    p = {"0": leaves(), "1": leaves(3, 2, seed=5)}
    x = inputs(RELU)
    h, pull_first = relu_rnn(p["0"], x)
    y, pull_second = relu_rnn(p["1"], h)
    second, dh = pull_second(np.sin(y))
    first, dx = pull_first(dh)
    cell = nn.StackedCells(RELU, nn.RNNCell(2, activation=nn.relu))
    found = pulled(nn.Recurrent(cell), p, x)
    jax.tree.map(close, found, (y, {"0": first, "1": second}, dx))


@pytest.mark.oracle("nn.Bidirectional", gradients=True)
@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave"])
def test_bidirectional_merges_a_loop_along_and_one_against_time(merge):
    p = {"forward": leaves(), "backward": leaves(seed=5)}
    x = inputs(RELU)
    a, pull_forward = relu_rnn(p["forward"], x)
    b, pull_backward = relu_rnn(p["backward"], x[:, ::-1])
    b = b[:, ::-1]
    y, pull = {
        "concat": (np.concatenate([a, b], -1), lambda dy: (dy[..., :3], dy[..., 3:])),
        "sum": (a + b, lambda dy: (dy, dy)),
        "mul": (a * b, lambda dy: (dy * b, dy * a)),
        "ave": ((a + b) / 2, lambda dy: (dy / 2, dy / 2)),
    }[merge]
    da, db = pull(np.sin(y))
    (forward, dx), (backward, dz) = pull_forward(da), pull_backward(db[:, ::-1])
    found = pulled(nn.Bidirectional(nn.Recurrent(RELU), merge=merge), p, x)
    grads = {"forward": forward, "backward": backward}
    jax.tree.map(close, found, (y, grads, dx + dz[:, ::-1]))
    # A backward layer may be another one.
    if merge == "concat":
        other = nn.Recurrent(nn.GRUCell(2), reverse=True)
        layer = nn.Bidirectional(nn.Recurrent(RELU), other)
        params = {"forward": p["forward"], "backward": init(other, x)}
        close(layer(params, x)[..., :3], jnp.asarray(a))
        close(layer(params, x)[..., 3:], other(params["backward"], x))


@pytest.mark.parametrize("name", LAYERS)
def test_parts_with_the_state_handed_on_are_the_whole(name):
    layer = LAYERS[name]
    x = inputs(layer)
    params = init(layer, x)
    scan = jax.jit(layer.scan)
    expected = scan(params, x)
    state, ys = layer.initial(x), []
    parts = jnp.split(x, 3, 1)
    for part in parts:
        state, y = scan(params, part, state)
        ys.append(y)
    jax.tree.map(close, (state, jnp.concatenate(ys, 1)), expected)
    # A plain tuple does as a state, too.
    half = jax.tree.map(lambda s: s / 2, expected[0])
    jax.tree.map(close, scan(params, parts[0], plainly(half)), scan(params, parts[0], half))


def plainly(state):
    """The same with tuples for an LSTM's named ones."""
    return tuple(map(plainly, state)) if isinstance(state, tuple) else state


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_its_cell_step_by_step(name):
    layer = LAYERS[name]
    if name in ("lstm", "gru"):
        layer = nn.Recurrent(nn.LSTMCell(3, peepholes=True) if name == "lstm" else nn.GRUCell(3))
    x = inputs(layer)
    params = init(layer, x)
    cell = layer.cell if name != "convolutional" else nn.ConvLSTMCell(2, (3,), padding="SAME")
    state, ys = cell.initial(x[:, 0]), []
    for t in range(x.shape[1]):
        state, y = cell(params, state, x[:, t])
        ys.append(y)
    jax.tree.map(close, (state, jnp.stack(ys, 1)), layer.scan(params, x))


@functools.cache
def padded(name):
    layer = BOTH_WAYS[name]

    def run(params, x, lengths):
        (state, y), pull = jax.vjp(lambda p, x: layer.scan(p, x, lengths=lengths), params, x)
        return state, y, pull(jax.tree.map(jnp.sin, (state, y)))

    return layer, jax.jit(run)


@pytest.mark.parametrize("name", BOTH_WAYS)
@settings(deadline=None, max_examples=6)
@given(lengths=st.lists(st.integers(0, 6), min_size=3, max_size=3))
def test_nothing_behind_the_end_counts(name, lengths):
    layer, run = padded(name)
    x = inputs(layer)
    params = init(layer, x)
    ends = jnp.asarray(lengths)
    behind = jnp.arange(6)[None] >= ends[:, None]
    behind = behind.reshape(3, 6, *(1 for _ in x.shape[2:]))
    state, y, grads = run(params, jnp.where(behind, 0, x), ends)
    jax.tree.map(close, run(params, jnp.where(behind, jnp.nan, x), ends), (state, y, grads))
    assert not jnp.where(behind, y, 0).any()
    assert not jnp.where(behind, grads[1], 0).any()


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_each_sequence_is_as_if_it_stood_alone(name):
    layer, run = padded(name)
    x = inputs(layer)
    params = init(layer, x)
    state, y, _ = run(params, x, jnp.array([6, 2, 0]))
    alone, outputs = layer.scan(params, x[1:2, :2])
    close(y[1:2, :2], outputs)
    jax.tree.map(lambda s, a: close(s[1:2], a), state, alone)
    # What has no step keeps the state that it came with.
    assert not any(s[2].any() for s in jax.tree.leaves(state))


def test_reverse_and_time_major_are_flips_and_transposes():
    x = inputs(RELU)
    layer = nn.LSTM(3, layers=2)
    params = init(layer, x)
    state, y = layer.scan(params, x[:, ::-1])
    backward = nn.LSTM(3, layers=2, reverse=True).scan(params, x)
    jax.tree.map(close, backward, (state, y[:, ::-1]))
    major = nn.LSTM(3, layers=2, time_major=True).scan(params, x[:, ::-1].swapaxes(0, 1))
    jax.tree.map(close, major, (state, y.swapaxes(0, 1)))
    close(nn.LSTM(3, layers=2, unroll=4)(params, x[:, ::-1]), y)


def test_other_activations_stand_where_tanh_and_sigmoid_do():
    cell = nn.LSTMCell(1, activation=lambda x: 2 * x, recurrent_activation=lambda x: x)
    params = {
        "kernel": jnp.zeros((1, 4)),
        "recurrent": jnp.zeros((1, 4)),
        "bias": jnp.arange(1, 5.0),
    }
    (h, c), _ = cell(params, (jnp.zeros(1), jnp.ones(1)), jnp.ones(1))
    assert (c.item(), h.item()) == (2 * 1 + 1 * 2 * 3, 4 * 2 * 8)  # f c + i g, o c
    for reset in ("after", "before"):
        cell = nn.GRUCell(1, reset=reset, activation=jnp.square, recurrent_activation=lambda x: x)
        params = {"kernel": jnp.zeros((1, 3)), "recurrent": jnp.ones((1, 3)),
                  "bias": jnp.arange(3.0), "recurrent_bias": jnp.full(1, 0.5)}  # fmt: skip
        h, _ = cell(params, jnp.full(1, 2.0), jnp.ones(1))
        r, z, n = 2.0, 3.0, 2 + 2 * (2.5 if reset == "after" else 2)
        assert h.item() == (1 - z) * n**2 + z * r


@pytest.mark.parametrize("cell", [RELU, nn.StackedCells(RELU, RELU)])
def test_recurrent_dropout_is_the_same_at_all_steps(cell):
    layer = nn.Recurrent(cell, recurrent_dropout=0.25)
    one = {"kernel": jnp.zeros((3, 3)), "recurrent": jnp.eye(3), "bias": jnp.zeros(3)}
    params = one if cell is RELU else {"0": one, "1": one}
    x = jnp.zeros((4000, 5, 3))
    state = jax.tree.map(jnp.ones_like, layer.initial(x))
    last, y = layer.scan(params, x, state, key=jax.random.key(0))
    kept = jax.tree.leaves(last)[-1] > 0
    if cell is RELU:
        close(y[:, -1], jnp.where(kept, (4 / 3) ** 5, 0.0))
    assert abs(kept.mean() - 0.75) < 0.02
    assert layer(params, x, state).all()


def test_the_memory_of_an_lstm_is_not_dropped():
    layer = nn.LSTM(3, recurrent_dropout=0.5)
    x = jnp.zeros((50, 5, 2))
    params = jax.tree.map(lambda p: jnp.zeros(p.shape), specs(layer, x))
    state = jax.tree.map(jnp.ones_like, layer.initial(x))
    (last,), _ = layer.scan(params, x, state, key=jax.random.key(0))
    close(last.cell, jnp.full((50, 3), 0.5**5))


def test_a_cell_of_ones_own_has_a_key_for_each_step():
    class Walk(Cell):
        def initial(self, x):
            return jnp.zeros(x.shape, x.dtype)

        def step(self, params, state, x, *, key=None):
            state = state + x + (0 if key is None else jax.random.normal(key, x.shape, x.dtype))
            return state, state

    x = draw((2, 5, 3))
    close(nn.Recurrent(Walk())({}, x), jnp.cumsum(x, 1))
    noise = jnp.diff(nn.Recurrent(Walk())({}, x, key=jax.random.key(0)) - jnp.cumsum(x, 1), axis=1)
    assert jnp.unique(noise.round(9)).size == noise.size


def test_a_state_of_more_digits_keeps_them():
    x = jnp.ones((2, 5, 3), jnp.bfloat16)
    layer = nn.LSTM(4)
    params = jax.tree.map(lambda p: draw(p.shape).astype(x.dtype), specs(layer, x.astype(float)))
    state = jax.tree.map(lambda s: s.astype(jnp.float32), layer.initial(x))
    state, y = layer.scan(params, x, state)
    assert (state[0].hidden.dtype, state[0].cell.dtype, y.dtype) == (*["float32"] * 2, "bfloat16")


def test_what_the_presets_start_from():
    cells = {
        "torch": nn.LSTMCell(8),
        "keras": nn.LSTMCell(8, initializer="keras"),
        "flax": nn.MinimalGatedCell(8, initializer="flax"),
    }

    @nn.layer
    def all_of_them(params, x):
        return [cell(params[name], cell.initial(x), x) for name, cell in cells.items()]

    starts = all_of_them.init(jax.random.key(0), jnp.zeros(5))
    assert all(0.3 < abs(leaf).max() < 8**-0.5 for leaf in starts["torch"].values())
    kernel, recurrent, bias = (starts["keras"][name] for name in ("kernel", "recurrent", "bias"))
    assert 0.3 < abs(kernel).max() < (6 / (5 + 32)) ** 0.5
    close(recurrent @ recurrent.T, jnp.eye(8))
    close(bias, jnp.repeat(jnp.array([0.0, 1, 0, 0]), 8))
    close(starts["flax"]["bias"], jnp.repeat(jnp.array([1.0, 0]), 8))
    for gate in jnp.split(starts["flax"]["recurrent"], 2, -1):
        close(gate @ gate.T, jnp.eye(8))


def test_layers_stand_in_a_sequential():
    ids = jnp.array([[1, 2, 0], [4, 4, 3]])
    net = nn.Sequential(nn.Embed(5, 4), nn.GRU(3, layers=2), nn.LSTM(3), nn.Linear(5))
    params = jax.tree.map(lambda p: draw(p.shape), specs(net, ids))
    assert net(params, ids).shape == (2, 3, 5)
