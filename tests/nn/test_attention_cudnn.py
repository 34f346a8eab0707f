"""Attention by cuDNN's kernel: there is no GPU here, and XLA's form of it takes its place.

Like the kernel it has a gradient and no further derivatives: those that it gives are zero.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn

XLA: Any = jax.nn.dot_product_attention


@pytest.fixture
def calls(monkeypatch):
    """The options that the kernel is called with."""
    seen = []

    def stand_in(query, key, value, bias, mask, *, implementation, **options):
        assert implementation == "cudnn"
        seen.append(options)
        arrays = {name: x for name, x in options.items() if isinstance(x, jax.Array)}
        static = {name: x for name, x in options.items() if name not in arrays}
        arrays["mask"] = mask

        def call(moving, arrays):
            *inputs, bias = moving
            with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
                return XLA(*inputs, bias, implementation="xla", **static, **arrays)

        @jax.custom_vjp
        def kernel(moving, arrays):
            return call(moving, arrays)

        def backward(kept, dy):
            moving, arrays = jax.lax.stop_gradient(kept)
            back = jax.vjp(lambda moving: call(moving, arrays), moving)[1]
            return jax.lax.stop_gradient(back(dy)[0]), None

        kernel.defvjp(lambda *args: (call(*args), args), backward)
        return kernel((query, key, value, bias), arrays)

    monkeypatch.setattr(
        jax.nn, "dot_product_attention",
        lambda q, k, v, bias=None, mask=None, **options: stand_in(q, k, v, bias, mask, **options),
    )  # fmt: skip
    return seen


def inputs(batch=2, queries=4, keys=6, heads=4, groups=2, size=8, seed=0):
    rng = np.random.default_rng(seed)
    shapes = (batch, queries, heads, size), *[(batch, keys, groups, size)] * 2
    return [jnp.asarray(rng.normal(size=shape), jnp.bfloat16) for shape in shapes]


def near(found, expected, tolerance=3e-2):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        a, b = np.asarray(a, float), np.asarray(b, float)
        np.testing.assert_allclose(a, b, atol=tolerance * max(1, np.abs(b).max()))


OPTIONS = [
    {},
    {"causal": True},
    {"causal": True, "window": 1},
    {"window": (1, 0), "query_lengths": jnp.array([4, 1]), "key_lengths": jnp.array([5, 0])},
    {"bias": jnp.zeros((4, 1, 6)).at[1:, :, 2:].set(-jnp.inf), "scale": 0.2},
    {"mask": jnp.arange(24).reshape(4, 6) % 18 > 5},  # its first and last rows are empty
]


def forms(options):
    """The kernel's and the plain form as functions of arrays, and the arrays."""
    arrays = {"inputs": inputs()}
    options = dict(options)
    if "bias" in options:
        arrays["bias"] = options.pop("bias").astype(jnp.bfloat16)

    def form(implementation):
        def call(arrays):
            bias = arrays.get("bias")
            given = options | {"bias": bias, "implementation": implementation}
            return nn.attention(*arrays["inputs"], **given)

        return call

    return form("cudnn"), form("xla"), arrays


@pytest.mark.parametrize("options", OPTIONS)
def test_the_kernel_is_the_plain_form_in_values_and_gradients(options, calls):
    kernel, plain, arrays = forms(options)

    @jax.jit
    def both(arrays):
        def of(call):
            y, back = jax.vjp(call, arrays)
            return y, back(jnp.cos(y))

        return of(kernel), of(plain)

    near(*both(arrays))
    assert len(calls) == 1


@pytest.mark.parametrize("options", OPTIONS[2:5])
def test_second_order_is_that_of_the_plain_form(options, calls):
    kernel, plain, arrays = forms(options)
    change = jax.tree.map(lambda x: jnp.cos(3 * x), arrays)

    @jax.jit
    def both(arrays, change):
        def of(call):
            loss = lambda arrays: jnp.sum(jnp.sin(call(arrays).astype(jnp.float32)))
            gradient = jax.grad(loss)
            along = lambda arrays: sum(
                jnp.vdot(a.astype(jnp.float32), b.astype(jnp.float32))
                for a, b in zip(
                    jax.tree.leaves(gradient(arrays)), jax.tree.leaves(change), strict=True
                )
            )
            return jax.jvp(gradient, (arrays,), (change,))[1], jax.grad(along)(arrays)

        return of(kernel), of(plain)

    near(*both(arrays, change), tolerance=6e-2)
    assert calls


def test_it_maps_over_examples_and_inside_a_loop(calls):
    arrays = inputs()
    lengths = jnp.array([5, 3])

    def loss(implementation):
        def call(query, key, value, length):
            def once(x, _):
                options = {"key_lengths": length, "implementation": implementation}
                return x + nn.attention(x, key, value, **options), None

            return jax.lax.scan(once, query, length=2)[0].astype(jnp.float32).sum()

        gradient = jax.grad(call, (0, 1, 2))
        return jax.jit(jax.vmap(gradient))(*arrays, lengths)

    near(loss("cudnn"), loss("xla"))


def test_on_another_device_it_is_the_plain_form(calls, monkeypatch):
    """The process has a GPU, but this program is for the CPU."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    arrays = inputs(1, 256, 256, 2, 2)

    def results(implementation):
        def call(*arrays):
            return nn.attention(*arrays, causal=True, implementation=implementation)

        y, back = jax.jit(lambda *arrays: jax.vjp(call, *arrays))(*arrays)
        return y, back(jnp.cos(y))

    found, traced = results(None), len(calls)
    assert traced
    near(found, results("xla"), 1e-2)
    assert len(calls) == traced


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 600), st.integers(1, 600), st.sampled_from([4, 8, 64, 128, 136, 256]),
    st.sampled_from(["bfloat16", "float16", "float32"]),
    st.sampled_from([{}, {"mask": True}, {"bias": True}, {"soft_cap": 2.0}, {"dropout": 0.1},
                     {"causal": True, "window": 3}, {"window": 3}, {"key_lengths": True}]),
)  # fmt: skip
def test_by_default_it_is_taken_only_where_it_is_possible(queries, keys, size, dtype, given):
    query, key = (jax.ShapeDtypeStruct((2, n, 2, size), dtype) for n in (queries, keys))
    masks = {"mask": ((queries, keys), bool), "bias": ((queries, keys), dtype)}
    masks |= {"key_lengths": ((2,), "int32")}
    arrays = {
        n: jax.ShapeDtypeStruct(*masks[n]) for n, x in given.items() if x is True and n in masks
    }
    static = {n: x for n, x in given.items() if n not in arrays}
    taken = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "default_backend", lambda: "gpu")

        def stand_in(query, *args, implementation, **options):
            taken.append(implementation)
            return query

        patch.setattr(jax.nn, "dot_product_attention", stand_in)

        def call(query, key, arrays):
            random = jax.random.key(0) if "dropout" in static else None
            return nn.attention(query, key, key, dropout_key=random, **static, **arrays)

        jax.eval_shape(call, query, key, arrays)
    possible = (
        min(queries, keys) >= 256 and size % 8 == 0 and size <= 128 and dtype != "float32"
        and given in ({}, {"causal": True, "window": 3}, {"key_lengths": True})
    )  # fmt: skip
    assert bool(taken) == possible


@pytest.mark.parametrize(
    ("remat", "kernels"), [(False, 1), (True, 2), ("attention", 1), ("dots", 1)]
)
def test_remat_keeps_what_the_kernel_made(remat, kernels, calls):
    """A program has the kernel's forward form once for each block, or once more."""
    x = jnp.ones((1, 4, 16), jnp.bfloat16)
    attend = nn.MultiHeadAttention(2, causal=True, implementation="cudnn")
    net = nn.Repeat(nn.Residual(attend), 3, remat=remat)
    params = net.init(jax.random.key(0), x.astype(jnp.float32))
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), params)
    loss = lambda params: net(params, x).astype(jnp.float32).sum()
    text = str(jax.make_jaxpr(jax.grad(loss))(params))
    # Of the stand-in, whose backward form has none.
    assert text.count("reduce_max") == kernels + 1


def test_without_a_gpu_it_is_not_even_tried(calls):
    jax.eval_shape(lambda *x: nn.attention(*x, causal=True), *inputs(1, 256, 256))
    assert not calls
    text = str(jax.make_jaxpr(lambda *x: nn.attention(*x))(*inputs(1, 256, 256)))
    assert "custom_vjp" not in text
    assert "platform_index" not in text


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"soft_cap": 1.0, "sinks": jnp.zeros(4)}, r"cannot do soft_cap, sinks; leave that out"),
        ({"scale": jnp.ones(())}, r"it takes a scale that is a number, not float32\[\]; multiply"),
        ({"size": 4}, r"heads of 8, 16, … up to 256 features, but query is bfloat16\[2,4,4,4\]"),
        ({"size": 264}, r"heads of 8, 16, … up to 256 features"),
        ({"window": 2}, r"its window looks back only, but is 2; add causal=True"),
        ({"window": (None, 1)}, r"looks back only, but is \(None, 1\)"),
        (
            {"keys": 5, "mask": jnp.ones((4, 5), bool)},
            r"with a mask .* even, but are \(4, 5\)",
        ),
        ({"keys": 5, "bias": jnp.ones((4, 5))}, r"with a bias .* even, but are \(4, 5\); pad"),
        ({"cast": "float32"}, r"16-bit floats .* float32\[2,4,4,8\] .* cast them to jnp.bfloat16"),
    ],
)
def test_what_prevents_it_is_named(options, problem):
    options = dict(options)
    shape = {name: options.pop(name) for name in ("size", "keys") if name in options}
    arrays = [x.astype(options.get("cast", x.dtype)) for x in inputs(**shape)]
    options.pop("cast", None)
    with pytest.raises(ValueError, match=rf"was asked for, but .*{problem}.*use implementation="):
        nn.attention(*arrays, implementation="cudnn", **options)


def test_a_layer_that_demands_it_begins_in_float32(calls):
    layer = nn.MultiHeadAttention(2, implementation="cudnn")
    x = jnp.ones((1, 4, 16))
    params = layer.init(jax.random.key(0), x)
    assert not calls
    with pytest.raises(ValueError, match="16-bit floats"):
        layer(params, x)
    params, x = jax.tree.map(lambda x: x.astype(jnp.bfloat16), (params, x))
    assert layer(params, x).dtype == jnp.bfloat16
    assert calls
