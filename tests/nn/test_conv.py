"""Convolution against XLA's own, in float64, in value and every kind of derivative."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equations import equations
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from jax.test_util import check_grads

import jaxnet as jn
from jaxnet.nn.conv import Conv, conv

pytestmark = pytest.mark.usefixtures("strict")

ORDERS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}
CANONICAL = lax.conv_dimension_numbers((1,) * 4, (1,) * 4, ORDERS[2])


def xla(x, kernel, stride, padding, dilation, groups):
    order = ORDERS[kernel.ndim - 2]
    return lax.conv_general_dilated(
        x, kernel, stride, padding, rhs_dilation=dilation, dimension_numbers=order,
        feature_group_count=groups,
    )  # fmt: skip


@st.composite
def cases(draw_from):
    axes = draw_from(st.integers(1, 3))
    groups = draw_from(st.sampled_from([1, 1, 2, 6, 20]))
    inputs = draw_from(st.sampled_from([1, 1, 2, 3])) if groups > 1 else 1
    inputs = inputs if groups > 1 else draw_from(st.sampled_from([1, 3, 9, 33]))
    features = groups * draw_from(st.integers(1, 3))

    def each(low, high):
        return tuple(draw_from(st.integers(low, high)) for _ in range(axes))

    size, stride, dilation = each(1, 4), each(1, 3), each(1, 2)
    span = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    spatial = [k + n for k, n in zip(span, each(0, 5), strict=True)]
    pairs = tuple(zip(each(0, 3), each(0, 3), strict=True))
    padding = draw_from(
        st.sampled_from(["SAME", "VALID", "CAUSAL", 1, tuple(p for p, _ in pairs), pairs])
    )
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return (2, *spatial, inputs * groups), (*size, inputs, features), options


def explicit(spatial, size, options):
    padding, axes = options["padding"], len(size)
    if padding == "CAUSAL":
        return [((k - 1) * d, 0) for k, d in zip(size, options["dilation"], strict=True)]
    if isinstance(padding, str):
        span = [(k - 1) * d + 1 for k, d in zip(size, options["dilation"], strict=True)]
        return lax.padtype_to_pads(spatial, span, options["stride"], padding)
    sides = [padding] * axes if isinstance(padding, int) else padding
    return [(p, p) if isinstance(p, int) else p for p in sides]


@pytest.mark.oracle("nn.conv", gradients=True)
@settings(deadline=None, max_examples=12)
@given(cases())
def test_value_and_derivatives_are_those_of_xla(case):
    shape, kernel_shape, options = case
    x, kernel = draw(shape), draw(kernel_shape, 1)
    pads = explicit(shape[1:-1], kernel_shape[:-2], options)

    def ours(x, kernel):
        return conv(x, kernel, **options)

    def theirs(x, kernel):
        return xla(x, kernel, options["stride"], pads, options["dilation"], options["groups"])

    def all_of(fn):
        def run(x, kernel):
            y, pull = jax.vjp(fn, x, kernel)
            moved = jax.jvp(fn, (x, kernel), (jnp.sin(x), jnp.sin(kernel)))[1]
            return y, *pull(jnp.sin(y)), moved

        return jax.jit(run)(x, kernel)

    for a, b in zip(all_of(ours), all_of(theirs), strict=True):
        close(a, b)


# One case for each of the rules by which convolutions are rewritten.
RULES = {
    "dense": ((2, 6, 5, 20), (3, 2, 20, 2), 1, 1),
    "dense strided": ((2, 6, 7, 20), (3, 2, 20, 2), 2, 1),
    "image by image": ((6, 20, 19, 64), (2, 3, 64, 2), 2, 1),
    "columns": ((2, 6, 6, 2), (3, 3, 2, 2), 2, 1),
    "few places": ((2, 5, 4, 256), (3, 2, 256, 2), 2, 1),
    "one by one": ((2, 4, 5, 3), (1, 1, 3, 2), 2, 1),
    "sequence": ((2, 7, 40), (2, 40, 2), 1, 1),
    "volume": ((2, 4, 5, 4, 9), (2, 3, 2, 9, 2), 2, 1),
    "groups": ((2, 4, 4, 48), (2, 2, 16, 6), 1, 3),
    "depthwise": ((2, 5, 6, 3), (3, 2, 1, 6), 1, 3),
    "depthwise strided": ((2, 6, 6, 3), (3, 3, 1, 3), 2, 3),
}


@pytest.mark.parametrize("rule", RULES)
def test_second_derivatives_and_vmap(rule):
    shape, kernel_shape, stride, groups = RULES[rule]
    x, kernel = draw(shape), draw(kernel_shape, 1)
    axes = kernel.ndim - 2

    def ours(x, kernel):
        return conv(x, kernel, stride=stride, padding=1, groups=groups)

    def theirs(x, kernel):
        return xla(x, kernel, (stride,) * axes, [(1, 1)] * axes, (1,) * axes, groups)

    def all_of(conv):
        def loss(x, kernel):
            return jnp.sin(conv(x, kernel)).sum()

        grad = jax.grad(loss, (0, 1))

        def along(x, kernel):
            return jax.jvp(grad, (x, kernel), (jnp.cos(x), jnp.cos(kernel)))[1]

        def again(x, kernel):
            return jax.grad(lambda *a: sum(jnp.square(g).sum() for g in grad(*a)), (0, 1))(
                x, kernel
            )

        kernels = jnp.stack([kernel, 2 * kernel])
        return jax.jit(
            lambda: (
                along(x, kernel),
                again(x, kernel),
                jax.vmap(grad, (None, 0))(x, kernels),
                jax.vmap(grad, (0, None))(jnp.stack([x, -x]), kernel),
                jax.jvp(lambda k: conv(x, k), (kernel,), (kernel,)),
                jax.linearize(lambda x: conv(x, kernel), x)[1](x),
            )
        )()

    jax.tree.map(close, all_of(ours), all_of(theirs))


def test_jacrev_of_jacrev():
    x, kernel = draw((1, 3, 3, 5)), draw((2, 2, 5, 2), 1)

    def mixed(fn):
        return jax.jacrev(jax.jacrev(lambda x, k: jnp.sin(fn(x, k)).sum(), 1), 0)(x, kernel)

    close(
        mixed(lambda x, k: conv(x, k, stride=2, padding=1)),
        mixed(lambda x, k: xla(x, k, (2, 2), [(1, 1)] * 2, (1, 1), 1)),
    )


@pytest.mark.parametrize("rule", RULES)
def test_accelerators_compute_the_same(rule, monkeypatch):
    shape, kernel_shape, stride, groups = RULES[rule]
    x, kernel = draw(shape), draw(kernel_shape, 1)
    here = conv(x, kernel, stride=stride, groups=groups)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    there = jax.make_jaxpr(lambda: conv(x, kernel, stride=stride, groups=groups))()
    assert [e.primitive.name for e in there.eqns].count("conv_general_dilated") == 1
    close(here, conv(x, kernel, stride=stride, groups=groups))


def named(jaxpr, name):
    return [eqn.params for eqn in equations(jaxpr.jaxpr) if eqn.primitive.name == name]


@pytest.mark.parametrize("rule", RULES)
def test_a_gradient_in_a_loop_has_only_forms_that_are_fast_there(rule):
    shape, kernel_shape, stride, groups = RULES[rule]
    x, kernel = draw(shape), draw(kernel_shape, 1)

    def step(kernel, x):
        def loss(x, kernel):
            return jnp.square(conv(x, kernel, stride=stride, padding=1, groups=groups)).sum()

        dx, dkernel = jax.grad(loss, (0, 1))(x, kernel)
        return kernel - dkernel, dx

    with jax.checking_leaks():
        jaxpr = jax.make_jaxpr(lambda k, xs: lax.scan(step, k, xs))(kernel, x[None])
    found = named(jaxpr, "conv_general_dilated")
    made_of_dots = ("columns", "few places", "one by one", "depthwise", "depthwise strided")
    assert bool(found) == (rule not in made_of_dots)
    for params in found:
        assert params["dimension_numbers"] == CANONICAL
        assert params["feature_group_count"] == params["batch_group_count"] == 1
    for eqn in equations(jaxpr.jaxpr):
        if eqn.primitive.name == "conv_general_dilated":
            slid, kernel = (array.aval.shape for array in eqn.invars)
            assert slid[1] >= kernel[0] and slid[2] >= kernel[1]
    pads = [params["padding_config"] for params in named(jaxpr, "pad")]
    assert all(inside == 0 for pad in pads for _, _, inside in pad)
    if "depthwise" in rule:
        # Images are padded once, and not again for each of the six or nine taps.
        wider = [pad for pad in pads if len(pad) >= 4 and any(a > 0 or b > 0 for a, b, _ in pad)]
        assert len(wider) <= 4
    assert not named(jaxpr, "scatter-add")


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_modes(mode):
    x, kernel = draw((2, 5, 6, 3)), draw((3, 3, 3, 2), 1)
    pads = ((1, 2), (0, 3))
    numpy_mode: Any = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    wider = np.pad(x, [(0, 0), *pads, (0, 0)], numpy_mode)
    close(
        conv(x, kernel, stride=2, padding=pads, padding_mode=mode),
        conv(jnp.asarray(wider), kernel, stride=2),
    )
    check_grads(lambda x: conv(x, kernel, padding=pads, padding_mode=mode), (x,), 1, ["fwd", "rev"])


def test_complex_numbers():
    x = lax.complex(draw((2, 6, 5, 12)), draw((2, 6, 5, 12), 1))
    kernel = lax.complex(draw((3, 3, 12, 2), 2), draw((3, 3, 12, 2), 3))
    close(conv(x, kernel), xla(x, kernel, (1, 1), "VALID", (1, 1), 1))


def test_named_padding():
    x, kernel = draw((1, 6, 3)), draw((3, 3, 2), 1)
    # Of an odd number of zeros "SAME" puts the greater part on the high side.
    close(conv(x, kernel, stride=2, padding="SAME"), conv(x, kernel, stride=2, padding=((0, 1),)))
    causal = conv(x, kernel, padding="CAUSAL", dilation=2)
    close(causal, conv(x, kernel, padding=((4, 0),), dilation=2))
    close(causal[:, :4], conv(x[:, :4], kernel, padding="CAUSAL", dilation=2))


def test_batch_axes_and_bias():
    x, kernel, bias = draw((2, 3, 5, 5, 4)), draw((3, 3, 4, 2), 1), draw((2,), 2)
    y = conv(x, kernel, bias)
    assert y.shape == (2, 3, 3, 3, 2)
    for i, j in itertools.product(range(2), range(3)):
        close(y[i, j], conv(x[i, j], kernel) + bias.reshape(1, 1, 2))
    assert conv(x[:, :0], kernel).shape == (2, 0, 3, 3, 2)


@pytest.mark.parametrize(
    ("rule", "dtype"), [*((rule, jnp.bfloat16) for rule in RULES), ("dense", jnp.float16)]
)
def test_sixteen_bits_in_sixteen_bits_out(rule, dtype):
    shape, kernel_shape, stride, groups = RULES[rule]
    x, kernel = draw(shape).astype(dtype), draw(kernel_shape, 1).astype(dtype)
    y = conv(x, kernel, stride=stride, groups=groups)
    assert y.dtype == dtype
    exact = conv(x.astype(jnp.float64), kernel.astype(jnp.float64), stride=stride, groups=groups)
    # Summed in float32 and rounded once.
    np.testing.assert_allclose(y.astype(jnp.float64), exact, rtol=jnp.finfo(dtype).eps, atol=1e-4)
    assert jax.grad(lambda x: conv(x, kernel, groups=groups).sum())(x).dtype == dtype


def test_only_the_gradient_that_is_asked_for():
    x, kernel = draw((2, 5, 5, 20)), draw((3, 3, 20, 2), 1)
    jaxpr = jax.make_jaxpr(jax.grad(lambda k: jnp.square(conv(x, k)).sum()))(kernel)
    assert len(named(jaxpr, "conv_general_dilated")) == 2


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_layer(axes):
    layer = Conv(6, (3,) * axes, padding="SAME", groups=2)
    x = draw((2, *(5,) * axes, 4))
    params = layer.init(jax.random.key(0), x)
    assert jax.tree.map(jnp.shape, params) == {"kernel": (*(3,) * axes, 2, 6), "bias": (6,)}
    bound = 1 / np.sqrt(2 * 3**axes)
    assert 0.8 * bound < abs(params["kernel"]).max() <= bound
    close(layer(params, x), conv(x, **params, padding="SAME", groups=2))
    assert set(Conv(6, 3, bias=False).init(jax.random.key(0), jnp.zeros((1, 4, 4, 3)))) == {
        "kernel"
    }


X, K = (2, 5, 5, 4), (3, 3, 4, 6)
MISTAKES = [
    (X[2:], K, {}, "needs 2 spatial axes .* but is float64"),
    (X, (4, 6), {}, r"window of 1 to 3 axes, but is float64\[4,6\]"),
    (X, K, {"groups": 3}, "4 input channels cannot be split into groups=3"),
    (X, (3, 3, 1, 6), {"groups": 4}, "6 features cannot be split into groups=4"),
    (X, (3, 3, 3, 6), {}, "has 4 channels, but the kernel .* takes 3; is the input channels-last"),
    (X, K, {"dilation": 3}, r"spans \(7, 7\), but .* has only \(5, 5\).*padding='SAME'"),
    (X, K, {"padding": "same"}, "no padding='same'; did you mean 'SAME'"),
    (X, K, {"padding": -1}, "padding of conv must be an int of at least 0"),
    (X, K, {"padding": (1, 2, 3)}, "for each of the 2 spatial axes, but is"),
    (X, K, {"stride": 0}, "stride of conv must be an int of at least 1, but is 0"),
    (X, K, {"stride": (1,)}, "stride of conv must be an int or a tuple of one int for each of"),
    (X, K, {"dilation": -1}, "dilation of conv must be an int of at least 1, but is -1"),
    (X, K, {"groups": 0}, "groups of a convolution must be an int of at least 1"),
    (X, K, {"padding_mode": "mirror"}, "no padding_mode='mirror'"),
    (X, K, {"padding": 5, "padding_mode": "reflect"}, "can add at most 4 to an axis of 5"),
    (X, K, {"bias": np.zeros(4)}, r"bias of conv must have the shape \(6,\)"),
]


@pytest.mark.parametrize(("shape", "kernel", "options", "message"), MISTAKES)
def test_mistakes(shape, kernel, options, message):
    with pytest.raises(ValueError, match=message):
        conv(draw(shape), draw(kernel), **options)


def test_mistakes_with_dtypes_and_layers():
    with pytest.raises(ValueError, match=r"convert it: x.astype\(jnp.float32\)"):
        conv(jnp.zeros(X, jnp.uint8), draw(K))
    with pytest.raises(ValueError, match=r"convert it: x.astype\(jnp.float32\)"):
        jn.specs(Conv(6, 3), jnp.zeros(X, jnp.uint8))
    with pytest.raises(ValueError, match="kernel_size of Conv must be an int, which means two"):
        Conv(6, (3, 3, 3, 3))
    with pytest.raises(ValueError, match="features of Conv must be an int of at least 1"):
        Conv(0, 3)
    with pytest.raises(ValueError, match=r"stride of Conv must be .* each of the 3 spatial axes"):
        Conv(6, (3, 3, 3), stride=(1, 2))
    with pytest.raises(ValueError, match="6 features cannot be split into groups=4"):
        Conv(6, 3, groups=4)
    with pytest.raises(ValueError, match="needs 3 spatial axes"):
        jn.specs(Conv(6, (3, 3, 3)), jnp.zeros((5, 5, 4)))
