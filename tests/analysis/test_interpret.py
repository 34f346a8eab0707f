"""The interpreter computes what the program computes, and follows a bad value to its origin."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnet import nn
from jaxnet.analysis.evidence import Lead, Mark, marks
from jaxnet.analysis.interpret import Origin, Trail, outputs

key = jax.random.key(0)
x = jnp.linspace(0.5, 2.0, 6).reshape(2, 3)


@jax.custom_vjp
def custom(x):
    return jnp.sin(x)


custom.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g * jnp.cos(x),))


def loop(x):
    def body(carry, slice):
        return carry * jnp.sin(slice), carry + slice

    carry, stack = jax.lax.scan(body, x[0], x, reverse=True)
    return carry.sum() + jax.lax.while_loop(lambda x: x.sum() < 50, lambda x: 2 * x, stack).sum()


def layer(module):
    params = module.init(key, x)
    return lambda x: module(params, x, key=key).sum()


PROGRAMS = {
    "arithmetic": lambda x: jnp.log(x) @ x.T,
    "relu": lambda x: jax.nn.relu(x - 1),
    "loop": loop,
    "cond": lambda x: jax.lax.cond(x.sum() > 3, jnp.sin, jnp.cos, x),
    "custom": custom,
    "gradient": jax.grad(lambda x: (custom(x) * jax.checkpoint(jnp.tanh)(x)).sum()),
    "vmap": jax.vmap(jnp.linalg.norm),
    "solve": lambda x: jnp.linalg.solve(x @ x.T, x),
    "random": lambda x: jax.random.normal(jax.random.fold_in(key, 1), x.shape) + x,
    "print": lambda x: (jax.debug.callback(lambda x: None, x), x + 1)[1],
    "closed over": jax.jit(lambda y: y + x),
    "BatchNorm": layer(nn.BatchNorm()),
    "LSTM": layer(nn.LSTM(4)),
    "Repeat": layer(nn.Repeat(nn.Sequential(nn.LayerNorm(), nn.Dropout(0.5)), 3, remat=True)),
    "gradient of MultiHeadAttention": jax.grad(layer(nn.MultiHeadAttention(1))),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_computes_what_the_program_computes(name):
    jaxpr = jax.make_jaxpr(PROGRAMS[name])(x)
    results = outputs(jaxpr, Trail().evaluate(jaxpr, [x]))
    expected = jax.tree.leaves(jax.jit(PROGRAMS[name])(x))
    for one, other in zip(results, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def follow(fn, *args, out=0):
    args = [jnp.asarray(x) for x in args]
    jaxpr = jax.make_jaxpr(fn)(*args)
    trail = Trail()
    results = outputs(jaxpr, trail.evaluate(jaxpr, args))
    found = trail.follow(jaxpr, args, out, marks(results[out])[0])
    return found, trail.turn


def operation(fn, *args, out=0):
    found, _ = follow(fn, *args, out=out)
    assert isinstance(found, Origin), found
    return found.operation


zero = np.array([1.0, 0.0, 2.0], np.float32)
nan = np.array([1.0, np.nan, 2.0], np.float32)
inf = np.array([1.0, np.inf, 2.0], np.float32)


@pytest.mark.parametrize(
    ("fn", "name"),
    [
        (jnp.log, "log"),
        (jax.jit(lambda x: jnp.log(x) + 1), "log"),
        (jax.checkpoint(lambda x: jnp.log(x) + 1), "log"),
        (jax.vmap(lambda x: 1 / x), "div"),
        (lambda x: jax.lax.cond(x[1] == 0, lambda x: 1 / x, jnp.log1p, x), "div"),
        (lambda x: jax.nn.silu(jnp.log(x)), "log"),
        (lambda x: jnp.where(jnp.arange(3) > 0, jnp.log(x), 1 / x), "log"),
        (lambda x: jnp.concatenate([1 / x, jnp.log(x), jnp.sqrt(x - 2)])[3:6].sum(), "log"),
        (lambda x: jnp.log(x).astype(int).astype(float) + jnp.log(x + 1) / x, "div"),
        (lambda x: jnp.take(x, jnp.array([0, 7])), "gather"),
        (lambda x: jax.lax.cond(x[1] == 0, lambda x: jnp.nan, lambda x: 1.0, x), "cond"),
    ],
    ids=[
        "plain", "jit", "checkpoint", "vmap", "cond", "passed on", "where", "slice",
        "integers", "index", "constant",
    ],
)  # fmt: skip
def test_the_origin_is_found(fn, name):
    assert operation(fn, zero) == name


def test_each_result_has_its_own_origin():
    def fn(x):
        return jax.lax.scan(lambda c, s: (c + 1 / s, (jnp.log(s), c)), 0.0, x)

    assert operation(fn, zero, out=0) == operation(fn, zero, out=2) == "div"
    assert operation(fn, zero, out=1) == "log"


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [3, 80])
def test_the_iteration_of_a_scan_is_its_index(reverse, length):
    slices = np.ones(length, np.float32)
    slices[1] = 0

    def fn(x):
        return jax.lax.scan(lambda c, s: (c + jnp.log(s), c), 0.0, x, reverse=reverse)[0]

    found, _ = follow(fn, slices)
    assert isinstance(found, Origin)
    assert (found.operation, found.loops) == ("log", ((1, length),))


@pytest.mark.parametrize(("reverse", "index"), [(False, 3), (True, 1)])
def test_the_state_of_a_scan_is_that_of_its_order(reverse, index):
    start = 6.0 if reverse else 15.0

    def fn(x):
        def body(c, s):
            return (c[0] - s, c[1] + 1 / (c[0] - s)), None

        return jax.lax.scan(body, (start, 0.0), x, reverse=reverse)[0][1]

    found, _ = follow(fn, np.array([9, 2, 3, 1], np.float32))
    assert isinstance(found, Origin)
    assert (found.operation, found.loops) == ("div", ((index, 4),))


def test_the_iteration_of_a_while_counts_from_zero():
    def fn(x):
        start = (0, x, x)
        return jax.lax.while_loop(
            lambda c: c[0] < 50, lambda c: (c[0] + 1, c[1] - 1, c[2] / c[1]), start
        )[2]

    found, _ = follow(fn, np.float32(40))
    assert isinstance(found, Origin)
    assert (found.operation, found.loops) == ("div", ((40, 50),))


def test_loops_within_loops_are_counted_from_outside():
    def fn(x):
        inner = lambda c, s: (c + jnp.log(s), None)
        return jax.lax.scan(lambda c, row: (jax.lax.scan(inner, c, row)[0], None), 0.0, x)[0]

    found, _ = follow(fn, np.array([[1, 1, 1], [1, 1, 0]], np.float32))
    assert isinstance(found, Origin)
    assert found.loops == ((1, 2), (2, 3))


@pytest.mark.parametrize("bad", [nan, inf], ids=["nan", "inf"])
@pytest.mark.parametrize(
    "fn",
    [
        lambda y, x: jnp.exp(y * 0) + x,
        lambda y, x: jnp.arccosh(x + y),
        lambda y, x: jax.jit(lambda x: x * 2)(x) + y,
        lambda y, x: jax.lax.scan(lambda c, s: (c + s, None), 0.0, x)[0],
        lambda y, x: jax.lax.scan(lambda c, s: (c + 0 * s, None), 0.0, x)[0],
        lambda y, x: jax.lax.scan(lambda c, s: (c + s, None), x, y)[0],
        lambda y, x: jax.lax.scan(lambda c, s: (0 * c, s), x, y)[0],
        lambda y, x: jax.lax.scan(lambda c, s: (c + s * x, None), y, y)[0],
        lambda y, x: jax.lax.while_loop(lambda c: c[0] < 9, lambda c: c + x, y),
        lambda y, x: jax.lax.while_loop(lambda c: (c < 9 * y).all(), lambda c: c + 1 + 0 * x, y),
        lambda y, x: jax.lax.while_loop(lambda c: c[0] < -9, lambda c: c + y, x),
        lambda y, x: jax.lax.scan(lambda c, s: (c, s), x, None, length=0)[0],
    ],
    ids=[
        "add",
        "acosh",
        "jit",
        "slices",
        "0 * slices",
        "state",
        "0 * state",
        "constant",
        "while",
        "0 * while",
        "no trip",
        "empty",
    ],
)
def test_a_bad_input_is_followed_to_its_entry(fn, bad):
    found, _ = follow(fn, np.ones(3, np.float32), bad)
    assert isinstance(found, Lead)
    assert found.index == 1
    np.testing.assert_array_equal(found.mark.at, [1])


def test_the_turn_from_infinite_to_nan_is_kept():
    found, turn = follow(lambda x: (jnp.exp(1000 * x) * (x - 1)).sum(), np.ones(3, np.float32))
    assert isinstance(found, Origin)
    assert turn is not None
    assert (found.operation, turn.operation) == ("exp", "mul")


def test_a_nan_is_followed_before_what_is_infinite():
    def fn(x):
        return jnp.exp(jnp.array([1000.0, 0.0]) * x) @ (jnp.sqrt(jnp.array([0.0, -1.0]) * x))

    assert operation(fn, np.ones(2, np.float32)) == "sqrt"


def test_a_constant_is_said_to_be_one():
    found, turn = follow(lambda x: jax.nn.softmax(jnp.where(x > 9, x, -jnp.inf)), zero)
    assert isinstance(found, Origin)
    assert turn is not None
    assert found.constant
    assert turn.operation == "sub"


def test_marks_are_the_bad_entries():
    assert not marks(jnp.arange(3))
    (mark,) = marks(jnp.array([[1.0, jnp.inf], [0.0, -jnp.inf]], jnp.bfloat16))
    assert not mark.nan
    np.testing.assert_array_equal(mark.at, [1, 3])
    assert mark.holds(inf.repeat(2))
    assert not Mark(False, np.array([0])).holds(inf)
