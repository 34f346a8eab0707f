"""The cross-entropy without the logits equals the plain one, in less memory."""

import re

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


@pytest.mark.parametrize(
    ("chunk", "options"),
    [(1, {}), (4, {"smoothing": 0.1, "ignore": 3}), (N, {}), (N + 2, {"reduction": "sum"})],
)
def test_equals_the_plain_loss(chunk, options):
    args = inputs()
    graded = lambda fn, **more: jax.jit(
        lambda *args: jax.value_and_grad(fn, (0, 1, 3))(*args, **options, **more)
    )(*args)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6),
        graded(losses.chunked_cross_entropy, chunk=chunk),
        graded(plain),
    )


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
