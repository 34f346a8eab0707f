"""The cross-entropy without the logits equals the plain one, in less memory."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnet import losses, nn

N, D, V = 11, 5, 13


def plain(x, kernel, labels, bias, **options):
    return losses.softmax_cross_entropy(nn.linear(x, kernel, bias), labels, **options)


def inputs(n=N, d=D, v=V):
    rng = np.random.default_rng(n)
    arrays = (rng.normal(size=shape) for shape in ((n, d), (d, v), (v,)))
    x, kernel, bias = (jnp.asarray(a, jnp.float32) for a in arrays)
    return x, kernel, jnp.asarray(rng.integers(0, v, n)), bias


def near(found, expected):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=3e-6), found, expected
    )


OPTIONS = [
    {},
    {"smoothing": 0.1, "ignore": 3},
    {"reduction": "sum"},
    {"reduction": "none"},
    {"weights": True, "mask": jnp.arange(N) % 3 > 0},
    {"class_weights": True, "smoothing": 0.2, "ignore": 3},
    {"class_weights": True, "weights": True, "reduction": "none"},
]


def forms(options, chunk):
    """The loss in chunks, the plain one and their arguments, all that may move among them."""
    rng = np.random.default_rng(1)
    x, kernel, labels, bias = inputs()
    args = {"x": x, "kernel": kernel, "bias": bias}
    args |= {
        name: jnp.asarray(rng.uniform(0.5, 1.5, n), jnp.float32)
        for name, n in (("weights", N), ("class_weights", V))
        if name in options
    }
    static = {name: value for name, value in options.items() if name not in args}
    ours = lambda args: losses.chunked_cross_entropy(labels=labels, chunk=chunk, **args, **static)

    theirs = lambda args: plain(labels=labels, **args, **static)
    return ours, theirs, args


@pytest.mark.parametrize(
    ("chunk", "options"),
    [*((4, options) for options in OPTIONS), (1, {}), (N, {"reduction": "none"}), (N + 2, {})],
)
def test_equals_the_plain_loss_in_values_and_all_derivatives(chunk, options):
    ours, theirs, args = forms(options, chunk)
    change = {name: jnp.cos(3 * x) for name, x in args.items()}

    @jax.jit
    def both(args, change):
        def of(loss):
            y, back = jax.vjp(loss, args)
            gradient = lambda args: jax.vjp(loss, args)[1](jnp.cos(y))[0]
            forward = jax.jvp(loss, (args,), (change,))[1]
            return y, back(jnp.cos(y)), forward, jax.jvp(gradient, (args,), (change,))[1]

        return of(ours), of(theirs)

    near(*both(args, change))


@pytest.mark.parametrize("moves", ["x", "kernel", "bias"])
def test_only_what_moves_costs_a_product(moves):
    x, kernel, labels, bias = inputs()
    args: dict[str, Any] = {"x": x, "kernel": kernel, "bias": bias}
    loss = lambda y: losses.chunked_cross_entropy(labels=labels, chunk=4, **args | {moves: y})
    text = str(jax.make_jaxpr(jax.grad(loss))(args[moves]))
    assert text.count("dot_general") == (1 if moves == "bias" else 2)


def test_it_maps_over_models():
    x, kernel, labels, bias = inputs()
    kernels = jnp.stack([kernel, 2 * kernel, -kernel])
    graded = lambda loss, **o: jax.vmap(jax.grad(lambda k: loss(x, k, labels, bias, **o)))
    run = lambda loss, **o: jax.jit(graded(loss, **o))(kernels)
    near(run(losses.chunked_cross_entropy, chunk=4), run(plain))


def test_products_of_the_gradient_are_in_the_dtype_of_the_input():
    x, kernel, labels, _ = inputs()
    x, kernel = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    loss = lambda x, kernel: losses.chunked_cross_entropy(x, kernel, labels, chunk=4)
    text = str(jax.make_jaxpr(jax.grad(loss, (0, 1)))(x, kernel))
    made = re.findall(r"(\w+)\[[\d,]+\] = dot_general", text)
    assert sorted(made) == ["bf16", "bf16", "f32"]
    found = jax.grad(loss, (0, 1))(x, kernel)
    wide = jax.tree.map(lambda x: x.astype(jnp.float32), (x, kernel))
    for a, b in zip(found, jax.grad(loss, (0, 1))(*wide), strict=True):
        assert a.dtype == jnp.bfloat16
        np.testing.assert_allclose(a.astype(jnp.float32), b, atol=2e-2 * float(jnp.abs(b).max()))


def test_many_chunks_of_half_precision_are_summed_in_float32():
    """In bfloat16 256 ones are 256 and no more."""
    n = 1024
    x = jnp.ones((n, 1), jnp.bfloat16)
    kernel, labels = jnp.zeros((1, 2), jnp.bfloat16), jnp.zeros(n, jnp.int32)
    loss = lambda kernel: losses.chunked_cross_entropy(x, kernel, labels, chunk=1, reduction="sum")
    np.testing.assert_array_equal(jax.grad(loss)(kernel), jnp.array([[-n / 2, n / 2]]))


@pytest.mark.parametrize("order", ["backward", "forward over reverse"])
def test_no_array_is_as_large_as_all_logits(order):
    loss = lambda x, kernel, labels, bias: losses.chunked_cross_entropy(
        x, kernel, labels, bias, chunk=2
    )
    fn = jax.grad(loss, (0, 1, 3))
    args = inputs(60)
    if order != "backward":
        first = fn
        fn = lambda *args: jax.jvp(lambda k: first(args[0], k, *args[2:])[1], args[1:2], args[1:2])
    shapes = re.findall(r"f32\[([\d,]+)\]", str(jax.make_jaxpr(fn)(*args)))
    largest = max(np.prod([int(n) for n in shape.split(",")]) for shape in shapes)
    assert largest < 60 * V
    assert re.search(rf"f32\[60,{V}\]", str(jax.make_jaxpr(plain)(*args)))  # what we look for


def test_compiled_memory_is_that_of_a_chunk():
    n = v = 4096
    specs = [jax.ShapeDtypeStruct(s, jnp.float32) for s in ((n, 8), (8, v))]
    labels = jax.ShapeDtypeStruct((n,), jnp.int32)
    loss = lambda x, kernel, labels: losses.chunked_cross_entropy(x, kernel, labels, chunk=64)
    compiled = jax.jit(jax.grad(loss, (0, 1))).lower(*specs, labels).compile()
    memory = compiled.memory_analysis()
    assert memory is not None
    assert memory.temp_size_in_bytes < n * v * 4 / 8


def test_a_mask_takes_out_whatever_there_is():
    x, kernel, labels, bias = inputs()
    mask = jnp.arange(N) % 3 > 0
    spoilt = jnp.where(mask[:, None], x, jnp.nan), jnp.where(mask, labels, -1)
    fn = jax.jit(jax.grad(losses.chunked_cross_entropy), static_argnames="chunk")
    call = lambda x, labels, **options: fn(x, kernel, labels, bias, chunk=4, **options)
    grad = call(spoilt[0], spoilt[1], mask=mask)
    np.testing.assert_allclose(grad[mask], call(x[mask], labels[mask]), rtol=1e-5, atol=1e-7)
    assert not grad[~mask].any()


def test_half_precision_has_float32_logits():
    x, kernel, labels, _ = inputs()
    x, kernel = x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    wide = plain(x.astype(jnp.float32), kernel.astype(jnp.float32), labels, None)
    value = losses.chunked_cross_entropy(x, kernel, labels, chunk=4)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, wide, rtol=1e-5)
