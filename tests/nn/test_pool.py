"""Pooling against XLA's own in float64, and against NumPy loops where XLA has no say."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equations import equations
from exact import close, draw
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jax import lax

from jaxnet.nn.lp_pool import global_lp_pool, lp_pool
from jaxnet.nn.pool import AvgPool, MaxPool, avg_pool, max_pool, max_pool_with_indices

pytestmark = pytest.mark.usefixtures("strict")


def reduce_window(x, window, stride, pads, of):
    start, fold = (-jnp.inf, lax.max) if of == "max" else (0.0, lax.add)
    stride, pads = (1, *stride, 1), [(0, 0), *pads, (0, 0)]
    return lax.reduce_window(x, start, fold, (1, *window, 1), stride, pads)


def xla_avg(x, window, stride, pads, count_include_pad):
    ones = (
        jnp.ones_like(x)
        if not count_include_pad
        else jnp.ones_like(jnp.pad(x, [(0, 0), *pads, (0, 0)]))
    )
    count = reduce_window(
        ones, window, stride, [(0, 0)] * len(pads) if count_include_pad else pads, "sum"
    )
    return reduce_window(x, window, stride, pads, "sum") / count


@st.composite
def cases(draw_from):
    axes = draw_from(st.integers(1, 3))

    def each(low, high):
        return tuple(draw_from(st.integers(low, high)) for _ in range(axes))

    window, stride = each(1, 4), draw_from(st.sampled_from([None, each(1, 3)]))
    spatial = tuple(k + n for k, n in zip(window, each(0, 5), strict=True))
    sides = [tuple(draw_from(st.integers(0, k - 1)) for _ in "ab") for k in window]
    padding = draw_from(st.sampled_from(["SAME", "VALID", "CAUSAL", tuple(sides)]))
    return (2, *spatial, 3), window, {"stride": stride, "padding": padding}


def explicit(spatial, window, stride, padding):
    if padding == "CAUSAL":
        return [(k - 1, 0) for k in window]
    return (
        lax.padtype_to_pads(spatial, window, stride, padding)
        if isinstance(padding, str)
        else padding
    )


@pytest.mark.parametrize("kind", ["max", "avg", "avg without padding"])
@settings(deadline=None, max_examples=5)
@given(case=cases())
def test_value_and_derivatives_are_those_of_xla(kind, case):
    shape, window, options = case
    stride = options["stride"] or window
    pads = explicit(shape[1:-1], window, stride, options["padding"])
    x = draw(shape)
    if kind == "max":
        ours = functools.partial(max_pool, window=window, **options)
        theirs = functools.partial(reduce_window, window=window, stride=stride, pads=pads, of="max")
    else:
        include = {"count_include_pad": kind == "avg"}
        ours = functools.partial(avg_pool, window=window, **options, **include)
        theirs = functools.partial(xla_avg, window=window, stride=stride, pads=pads, **include)

    def all_of(pool):
        def run(x):
            y, pull = jax.vjp(pool, x)
            return y, *pull(jnp.sin(y)), jax.jvp(pool, (x,), (jnp.sin(x),))[1]

        return jax.jit(run)(x)

    for a, b in zip(all_of(ours), all_of(theirs), strict=True):
        close(a, b)


@pytest.mark.parametrize(
    ("window", "stride"), [((2, 2), (2, 2)), ((3, 2), (2, 1)), ((2, 3), (3, 3)), ((6, 7), (1, 1))]
)
def test_of_equal_values_the_first_takes_the_gradient(window, stride):
    x = np.random.default_rng(0).integers(0, 3, (2, 7, 8, 2)).astype(np.float64)
    pool = jax.jit(lambda x: max_pool(x, window, stride=stride))
    y, pull = jax.vjp(pool, jnp.asarray(x))
    y, dy = np.asarray(y), np.random.default_rng(1).normal(size=y.shape)
    dx = np.zeros_like(x)
    for n, i, j, c in itertools.product(*map(range, y.shape)):
        top, left = i * stride[0], j * stride[1]
        seen = x[n, top : top + window[0], left : left + window[1], c]
        row, column = divmod(int(seen.argmax()), window[1])
        assert y[n, i, j, c] == seen.max()
        dx[n, top + row, left + column, c] += dy[n, i, j, c]
    close(pull(jnp.asarray(dy))[0], jnp.asarray(dx))


@pytest.mark.parametrize("pool", [max_pool, avg_pool])
def test_second_derivatives_and_vmap(pool):
    x = draw((2, 5, 6, 3))
    xla = {
        max_pool: lambda x: reduce_window(x, (3, 2), (2, 2), [(1, 1), (0, 1)], "max"),
        avg_pool: lambda x: reduce_window(x, (3, 2), (2, 2), [(1, 1), (0, 1)], "sum") / 6,
    }[pool]

    def ours(x):
        return pool(x, (3, 2), stride=2, padding=((1, 1), (0, 1)))

    def all_of(pool):
        grad = jax.grad(lambda x: jnp.sin(pool(x)).sum())

        def run(x):
            return (
                jax.jvp(grad, (x,), (jnp.cos(x),))[1],
                jax.grad(lambda x: jnp.square(grad(x)).sum())(x),
                jax.vmap(grad)(jnp.stack([x, -x])),
            )

        return jax.jit(run)(x)

    # Forward mode over XLA's max-pooling gradient is not there, so its hessian is written out.
    y, pull = jax.vjp(xla, x)
    pooled = jax.linearize(xla, x)[1]
    ahead = pull(-jnp.sin(y) * pooled(jnp.cos(x)))[0]
    first = pull(jnp.cos(y))[0]
    again = pull(-jnp.sin(y) * pooled(2 * first))[0]
    other = jax.vjp(xla, -x)
    both = jnp.stack([first, other[1](jnp.cos(other[0]))[0]])
    jax.tree.map(close, all_of(ours), (ahead, again, both))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("pool", [max_pool, avg_pool])
def test_a_gradient_in_a_loop_is_made_of_slices(pool, stride):
    def step(x, _):
        return x - jax.grad(lambda x: jnp.square(pool(x, 3, stride=stride)).sum())(x), None

    with jax.checking_leaks():
        jaxpr = jax.make_jaxpr(lambda x: lax.scan(step, x, None, 2))(draw((2, 9, 9, 3)))
    found = list(equations(jaxpr.jaxpr))
    names = " ".join(eqn.primitive.name for eqn in found)
    assert not any(name in names for name in ("reduce_window", "select_and", "scatter"))
    pads = [eqn.params["padding_config"] for eqn in found if eqn.primitive.name == "pad"]
    assert all(inside == 0 for pad in pads for _, _, inside in pad)
    # Everything is padded once, and not again for each of the nine taps.
    wider = [pad for pad in pads if any(low > 0 or high > 0 for low, high, _ in pad)]
    assert len(wider) <= 4


def test_nan_in_nan_out():
    x = draw((1, 4, 4, 1)).at[0, 1, 2, 0].set(jnp.nan)
    for pool in (max_pool, avg_pool):
        y = pool(x, 2)
        np.testing.assert_array_equal(jnp.isnan(y)[0, :, :, 0], [[False, True], [False, False]])
    # The gradient of the windows without one is not touched by it.
    dx = jax.grad(lambda x: max_pool(x, 2).sum())(x)
    assert dx.sum() == 4
    assert not jnp.isnan(dx).any()


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint8])
def test_integers(dtype):
    x = jnp.asarray(np.random.default_rng(0).integers(0, 99, (2, 6, 6, 3)), dtype)
    y = max_pool(x, 3, padding="SAME", stride=2)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, max_pool(x.astype(jnp.float64), 3, padding="SAME", stride=2))
    negative = -1 - x.astype(jnp.int32)
    assert max_pool(negative, 3, padding=1).max() < 0
    # Integers made of something that is differentiated do not disturb its gradient.
    scale = jnp.asarray(1.0)

    def loss(scale):
        whole = jnp.broadcast_to(scale, x.shape) * x.astype(scale.dtype)
        return scale * max_pool(whole.astype(dtype), 2).sum().astype(scale.dtype)

    assert jax.grad(loss)(scale).item() == max_pool(x, 2).sum().item()


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_sixteen_bits_in_sixteen_bits_out(dtype):
    x = jnp.full((1, 40, 40, 1), 1 + jnp.finfo(dtype).eps, dtype)
    # A sum of 1600 in 16 bits would stop growing at 256, or drop the last bit.
    assert avg_pool(x, 40).dtype == max_pool(x, 40).dtype == dtype
    assert avg_pool(x, 40).item() == max_pool(x, 40).item() == x[0, 0, 0, 0]


def test_batch_axes_and_layers():
    x = draw((2, 3, 6, 6, 4)).astype(jnp.float32)
    for pool, layer in (
        (max_pool, MaxPool(3, stride=2, padding="SAME")),
        (avg_pool, AvgPool(3, stride=2, padding="SAME", count_include_pad=False)),
    ):
        options = {"count_include_pad": False} if pool is avg_pool else {}
        y = pool(x, 3, stride=2, padding="SAME", **options)
        assert y.shape == (2, 3, 3, 3, 4)
        close(y[1, 2], pool(x[1, 2], 3, stride=2, padding="SAME", **options))
        assert layer.init(jax.random.key(0), x) == {}
        close(layer({}, x), y)
        assert pool(x[:, :0], 3).shape == (2, 0, 2, 2, 4)


@st.composite
def windows(draw_from):
    """Any window on one or two axes, as the options of a call."""
    axes = draw_from(st.integers(1, 2))

    def each(low, high):
        return tuple(draw_from(st.integers(low, high)) for _ in range(axes))

    window, dilation = each(1, 3), each(1, 2)
    span = tuple((k - 1) * d + 1 for k, d in zip(window, dilation, strict=True))
    shape = (2, *(k + n for k, n in zip(span, each(0, 4), strict=True)), 2)
    padding = tuple((draw_from(st.integers(0, k // 2)), draw_from(st.integers(0, k // 2)))
                    for k in window)  # fmt: skip
    stride, ceil_mode = each(1, 4), draw_from(st.booleans())
    return shape, {"window": window, "stride": stride, "padding": padding, "dilation": dilation,
                   "ceil_mode": ceil_mode}  # fmt: skip


def holds_input(padding, dilation, **_):
    """Whether surely no window has nothing but padding, as may be between dilated elements."""
    return all(d == 1 or not any(pads) for pads, d in zip(padding, dilation, strict=True))


def seen_by(x, window, stride, padding, dilation, ceil_mode):
    """For each place the values of its window with their flat positions, and how many it counts."""
    spatial, starts = x.shape[1:-1], []
    axes = zip(spatial, window, stride, padding, dilation, strict=True)
    for n, k, s, (low, high), d in axes:
        rest = n + low + high - (k - 1) * d - 1
        m = (math.ceil(rest / s) if ceil_mode else rest // s) + 1
        starts.append([i * s - low for i in range(m) if i * s < n + low or not ceil_mode])
    for place in itertools.product(*(range(len(s)) for s in starts)):
        lines = [
            [starts[a][i] + t * dilation[a] for t in range(window[a])] for a, i in enumerate(place)
        ]
        counted = [
            sum(at < n + high for at in line)
            for line, n, (_, high) in zip(lines, spatial, padding, strict=True)
        ]
        inside = [
            at
            for at in itertools.product(*lines)
            if all(map(range.__contains__, map(range, spatial), at))
        ]
        values = np.stack([x[:, *at] for at in inside], 1)
        flat = np.array([np.ravel_multi_index(at, spatial) for at in inside])
        yield place, values, flat, math.prod(counted)


@pytest.mark.oracle("nn.max_pool", "nn.avg_pool", "nn.max_pool_with_indices")
@settings(deadline=None, max_examples=8)
@given(case=windows(), whole=st.booleans())
def test_every_window_in_a_loop(case, whole):
    shape, options = case
    assume(holds_input(**options))
    x = np.random.default_rng(0).integers(-4, 4, shape)
    x = x if whole else x.astype(float)

    @jax.jit
    def all_of(x):
        floats = x.astype(float)
        return (
            *max_pool_with_indices(x, **options),
            max_pool(x, **options),
            avg_pool(floats, **options),
            avg_pool(floats, **options, count_include_pad=False),
            avg_pool(floats, **options, divisor=1),
        )

    # NumPy's, since JAX compiles each way to index.
    y, indices, plain, mean, bare, total = map(np.asarray, all_of(jnp.asarray(x)))
    np.testing.assert_array_equal(plain, y)
    places = list(seen_by(x, **options))
    assert math.prod(y.shape[1:-1]) == len(places)
    for place, values, flat, counted in places:
        np.testing.assert_array_equal(y[:, *place], values.max(1))
        np.testing.assert_array_equal(indices[:, *place], flat[values.argmax(1)])
        np.testing.assert_allclose(mean[:, *place], values.sum(1) / counted, atol=1e-12)
        np.testing.assert_allclose(bare[:, *place], values.mean(1), atol=1e-12)
        np.testing.assert_allclose(total[:, *place], values.sum(1), atol=1e-12)


@pytest.mark.parametrize("pool", [max_pool, avg_pool, functools.partial(lp_pool, p=2)])
@settings(deadline=None, max_examples=3)
@given(shift=st.integers(0, 3), window=st.integers(1, 7))
def test_a_shift_by_strides_shifts_the_places(pool, shift, window):
    x = draw((1, 16, 15, 2))
    a = pool(x, window=window, stride=2)
    b = pool(x[:, 2 * shift :], window=window, stride=2)
    close(a[:, shift:], b)


def test_where_a_nan_lies():
    x = jnp.arange(16.0).reshape(1, 4, 4, 1).at[0, 0, 1, 0].set(jnp.nan)
    _, indices = max_pool_with_indices(x, 2)
    np.testing.assert_array_equal(indices[0, :, :, 0], [[1, 7], [13, 15]])
    y, pull = jax.vjp(lambda x: max_pool(x, 2), x)
    assert pull(jnp.ones_like(y))[0][0, 0, 1, 0] == 1


def test_a_large_window_has_few_slices():
    def slices(window):
        jaxpr = jax.make_jaxpr(jax.grad(lambda x: max_pool(x, window).sum()))(draw((1, 64, 64, 1)))
        return sum("slice" in eqn.primitive.name for eqn in equations(jaxpr.jaxpr))

    assert slices(32) < 10 * 32


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_a_norm_of_sixteen_bits(dtype):
    x = jnp.full((1, 4, 4, 1), 300, dtype)  # whose square is too large for float16
    assert lp_pool(x, 2, 2).dtype == global_lp_pool(x, 2).dtype == dtype
    assert (lp_pool(x, 2, 2) == 600).all()
    assert (global_lp_pool(x, 2) == 1200).all()


@pytest.mark.parametrize("p", [1, 2, 3.0, 2.5])
def test_nothing_has_no_slope(p):
    zeros = jnp.zeros((1, 4, 4, 1))
    for pool in (lambda x: lp_pool(x, p, 2), lambda x: global_lp_pool(x, p)):
        assert not pool(zeros).any()
        assert not jax.grad(lambda x: pool(x).sum())(zeros).any()
