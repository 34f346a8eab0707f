import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from jaxnet import nn
from jaxnet.analysis.cost import Cost, cost, flops
from jaxnet.train import TrainState, train_step

sizes = st.integers(1, 5)
OPERATIONS = """elementwise move sum cumsum argmax sort top_k scatter window reduce fft rfft irfft
triangular lu cholesky qr"""


def zeros(*shape, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(shape, dtype)


def by_xla(fn, *args):
    properties = jax.jit(fn).lower(*args).compile().cost_analysis()
    assert properties is not None
    return properties["flops"]


@given(sizes, sizes, sizes, sizes)
def test_a_batched_product_of_matrices(batch, rows, inner, columns):
    product = lambda x, y: jnp.einsum("bij,bjk->bik", x, y)
    x, y = zeros(batch, rows, inner), zeros(batch, inner, columns)
    assert cost(product, x, y).by_primitive["dot_general"] == 2 * batch * rows * inner * columns
    x, y = (zeros(*a.shape, dtype=jnp.complex64) for a in (x, y))
    assert cost(product, x, y).by_primitive["dot_general"] == 8 * batch * rows * inner * columns


def brute_force(size, kernel, stride, pad, dilation):
    """Pairs of an output and a kernel entry that meet an input, one by one."""
    gap, spread = dilation
    wide, window = (size - 1) * gap + 1, (kernel - 1) * spread + 1
    out = (wide + sum(pad) - window) // stride + 1
    met = 0
    for o in range(out):
        for k in range(kernel):
            place = o * stride + k * spread - pad[0]
            met += 0 <= place < wide and place % gap == 0
    return met


axis = st.tuples(st.integers(3, 7), sizes, st.integers(1, 3), st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=40)
@given(axis, axis, st.tuples(st.integers(1, 3), st.integers(1, 3)), sizes, sizes, sizes)
def test_a_convolution_counts_only_products_with_the_input(a, b, dilation, batch, channels, feats):
    (gap, spread), axes = dilation, []
    for size, kernel, stride, low, high in (a, b):
        # So that there is an output.
        axes.append((size, kernel, stride, (low, max(high, (kernel - 1) * spread))))
    image, kernels, strides, padding = zip(*axes, strict=True)
    fn = lambda x, kernel: lax.conv_general_dilated(
        x,
        kernel,
        strides,
        padding,
        (gap, gap),
        (spread, spread),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=2,
    )
    met = math.prod(brute_force(*one, dilation=dilation) for one in axes)
    x, kernel = zeros(batch, *image, 2 * channels), zeros(*kernels, channels, 2 * feats)
    assert flops(fn, x, kernel) == 2 * batch * met * channels * 2 * feats


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_gradients_of_a_convolution_cost_as_much_as_itself(padding, stride):
    fn = lambda x, kernel: lax.conv_general_dilated(
        x, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    x, kernel = zeros(2, 9, 9, 3), zeros(3, 3, 3, 4)
    once = flops(fn, x, kernel)
    both = lambda x, kernel, y: jax.vjp(fn, x, kernel)[1](y)
    assert cost(both, x, kernel, jax.eval_shape(fn, x, kernel)).flops == 2 * once


def test_layers():
    x = zeros(32, 20)
    linear = nn.Linear(7)
    assert flops(linear, linear.init(jax.random.key(0), x), x) == 2 * 32 * 20 * 7 + 32 * 7
    heads = zeros(2, 10, 4, 8)
    by = cost(nn.attention, heads, heads, heads).by_primitive
    # In each head the scores, and what they weigh.
    assert by["dot_general"] == 2 * (2 * 2 * 4 * 10 * 10 * 8)
    conv = nn.Conv(5, 3, padding="VALID")
    image = zeros(2, 8, 8, 3)
    params = conv.init(jax.random.key(0), image)
    assert flops(conv, params, image) == 2 * 2 * 36 * 9 * 3 * 5 + 2 * 36 * 5


def mlp_step():
    net = nn.Sequential(nn.Linear(64), nn.relu, nn.Linear(64), nn.relu, nn.Linear(10))
    x = jnp.ones((128, 64))
    state = TrainState.create(net.init(jax.random.key(0), x), optax.sgd(0.1), jax.random.key(1))
    loss_fn = lambda params, x, key: jnp.square(net(params, x)).mean()
    return net, train_step(loss_fn, optax.sgd(0.1)), state, x


def test_a_training_step_costs_three_forward_passes():
    net, step, state, x = mlp_step()
    forward = cost(net, state.params, x).by_primitive["dot_general"]
    first = 2 * 128 * 64 * 64
    # The first layer's input has no gradient.
    assert cost(step, state, x).by_primitive["dot_general"] == 3 * forward - first
    assert not state.step.is_deleted()


def test_xla_counts_about_the_same_without_loops():
    net, step, state, x = mlp_step()
    np.testing.assert_allclose(flops(net, state.params, x), by_xla(net, state.params, x), rtol=0.02)
    np.testing.assert_allclose(flops(step, state, x), by_xla(step, state, x), rtol=0.03)
    conv = lambda x, kernel: lax.conv(x, kernel, (2, 2), "SAME")
    args = zeros(2, 8, 16, 16), zeros(16, 8, 3, 3)
    np.testing.assert_allclose(flops(conv, *args), by_xla(conv, *args), rtol=0.01)


@pytest.mark.parametrize("length", [1, 3, 10])
def test_a_scan_costs_its_length(length):
    kernel = zeros(8, 8)
    body = lambda x, _: (jnp.tanh(x @ x), None)
    scan = lambda x: lax.scan(body, x, None, length=length)[0]
    once = flops(lambda x: body(x, None)[0], kernel)
    assert flops(scan, kernel) == length * once == length * (2 * 8**3 + 64)
    assert flops(lambda x: lax.fori_loop(0, length, lambda i, x: x @ x, x), kernel) == (
        length * 2 * 8**3
    )
    nested = lambda x: lax.scan(lambda x, _: (scan(x), None), x, None, length=2)[0]
    assert flops(nested, kernel) == 2 * length * once


def test_inner_programs_are_counted():
    x = zeros(8, 8)
    once = 2 * 8**3
    assert flops(jax.jit(lambda x: jax.jit(jnp.dot)(x, x)), x) == once
    square = jax.custom_jvp(lambda x: x @ x)
    square.defjvp(lambda x, t: (x[0] @ x[0], x[0] @ t[0] + t[0] @ x[0]))
    assert flops(square, x) == once
    assert cost(lambda x: jax.jvp(square, (x,), (x,)), x).by_primitive["dot_general"] == 3 * once
    square = jax.custom_vjp(lambda x: x @ x)
    square.defvjp(lambda x: (x @ x, x), lambda x, y: (y @ x.T + x.T @ y,))
    assert flops(square, x) == once
    pull = lambda x: jax.vjp(square, x)[1](x)
    # The product itself is not used in its gradient.
    assert cost(pull, x).by_primitive["dot_general"] == 2 * once
    assert flops(jax.vmap(lambda x: x @ x), zeros(5, 8, 8)) == 5 * once
    # What is recomputed is computed twice.
    wave = lambda x: jnp.sin(jnp.sin(x @ x) @ x).sum()
    plain, remat = (cost(jax.value_and_grad(f), x) for f in (wave, jax.checkpoint(wave)))
    # Two products forward; backward one for each factor.
    assert plain.by_primitive["dot_general"] == 6 * once
    assert remat.by_primitive["dot_general"] == 8 * once
    branches = lambda x: lax.cond(x[0, 0] > 0, lambda x: x, lambda x: x @ x, x)
    assert cost(branches, x).by_primitive["dot_general"] == once


def test_every_device_counts():
    mesh = jax.make_mesh((4,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec("d")
    each = jax.shard_map(lambda x: x @ x.T, mesh=mesh, in_specs=spec, out_specs=spec)
    assert flops(each, zeros(8, 8)) == 4 * 2 * 2 * 8 * 2


def test_what_nobody_uses_is_not_counted():
    def fn(x):
        unused = jnp.sin(x @ x)
        return (x, jnp.cos(unused))[0] + 1

    assert cost(fn, zeros(8, 8)) == Cost(64, {"add": 64})
    # Except for what has effects.
    seen = lambda x: jax.debug.print("{}", x @ x)
    assert flops(seen, zeros(8, 8)) == 2 * 8**3


def test_a_loop_of_unknown_length_is_one_pass_and_says_so():
    loop = lambda x, n: lax.fori_loop(0, n, lambda i, x: x @ x, x)
    found = cost(loop, zeros(8, 8), 3)
    assert found == Cost(2 * 8**3, {"dot_general": 2 * 8**3}, found.notes)
    assert found.notes == ("a while loop counts as one pass, since their number is not known",)
    assert found.notes[0] in str(found)


def test_a_primitive_without_a_rule_is_named():
    call = jax.ffi.ffi_call("mystery", jax.ShapeDtypeStruct((3,), jnp.float32))
    assert cost(call, zeros(3)) == Cost(
        0, {}, ("ffi_call is not counted: there is no rule for it",)
    )


@pytest.mark.parametrize(
    ("fn", "shape", "expected"),
    [
        (lambda x: jnp.exp(x) * x, (5, 4), 40),
        (lambda x: x.reshape(20)[::2].astype(jnp.bfloat16), (5, 4), 0),
        (lambda x: x.sum(0), (5, 4), 20),
        (lambda x: jnp.cumsum(x, 1), (5, 4), 20),
        (lambda x: jnp.argmax(x, 1), (5, 4), 20),
        (lambda x: jnp.sort(x, 1), (5, 4), 40),
        (lambda x: lax.top_k(x, 2), (5, 4), 40),
        (lambda x: x.at[jnp.array([0, 1])].add(x[:2], mode="promise_in_bounds"), (5, 4), 8),
        (lambda x: lax.reduce_window(x, 0.0, lax.add, (2, 2), (1, 1), "VALID"), (5, 4), 48),
        (lambda x: lax.reduce(x, 0.0, lambda a, b: a + b * 2, (0,)), (5, 4), 20),
        (jnp.fft.fft, (3, 8), 5 * 24 * 3),
        (jnp.fft.rfft, (3, 8), 5 * 24 * 3 // 2),
        (lambda x: jnp.fft.irfft(x.astype(jnp.complex64), 8), (3, 5), 5 * 24 * 3 // 2),
        (lambda x: lax.linalg.triangular_solve(x, x), (6, 6), 6**3),
        (lambda x: lax.linalg.lu(x)[0], (2, 6, 6), math.ceil(2 / 3 * 2 * 6**3)),
        (lambda x: lax.linalg.cholesky(x, symmetrize_input=False), (6, 6), 72),
        (lambda x: lax.linalg.qr(x, full_matrices=False), (6, 3), 72),
    ],
    ids=OPERATIONS.split(),
)
def test_operations(fn, shape, expected):
    found = cost(fn, zeros(*shape))
    assert found.notes == () and found.flops == expected, found


def test_arithmetic_of_integers_is_none_but_their_products_are_counted():
    ints = zeros(4, 4, dtype=jnp.int8)
    assert flops(lambda x: jnp.sort(x + x, 0).sum(), ints) == 0
    assert flops(jnp.dot, ints, ints) == 2 * 4**3
    assert cost(lambda key: jax.random.bits(key, (100,)), jax.random.key(0)) == Cost(0, {})


def test_ragged_products():
    args = zeros(8, 4), zeros(3, 4, 5), zeros(3, dtype=jnp.int32)
    once = 2 * 8 * 4 * 5
    assert flops(lax.ragged_dot, *args) == once
    loss = lambda x, kernels, sizes: lax.ragged_dot(x, kernels, sizes).sum()
    by = cost(jax.grad(loss, (0, 1)), *args).by_primitive
    assert by["ragged_dot_general"] == 2 * once


def test_the_table_has_the_most_expensive_first():
    lines = str(cost(lambda x: jnp.tanh(x @ x) + 1, zeros(8, 8))).splitlines()
    assert [line.split() for line in lines[2:5]] == [
        ["dot_general", "1,024", "88.9%"],
        ["add", "64", "5.6%"],
        ["tanh", "64", "5.6%"],
    ]
    assert lines[-1] == "1,152 FLOP"
    assert str(cost(lambda x: x, zeros(3))).splitlines()[-1] == "0 FLOP"
