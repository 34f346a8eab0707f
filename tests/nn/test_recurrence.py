"""LSTM and GRU along a whole sequence are the same cells step by step, and so are derivatives."""

import functools

import jax
import jax.numpy as jnp
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn
from jaxnet.core.blueprint import specs
from jaxnet.nn import recurrence

pytestmark = pytest.mark.usefixtures("strict")

KINDS = {"lstm": nn.LSTM, "gru": nn.GRU}


def drawn(like, seed):
    return jax.tree.map(lambda x: draw(x.shape, seed + x.size), like)


def both(kind, **options):
    """A layer, and the same step by step, as functions of all that moves, to a number."""

    def number(layer, args):
        results = jax.tree.leaves(layer.scan(*args))
        return sum(jnp.sin(y * (i + 1)).sum() for i, y in enumerate(results))

    layers = KINDS[kind](3, **options), KINDS[kind](3, unroll=2, **options)
    return layers[0], [functools.partial(number, layer) for layer in layers]


def arguments(layer, shape, seed=0):
    x = draw((*shape, 4), seed)
    return drawn(specs(layer, x), seed + 1), x, drawn(layer.initial(x), seed + 2)


def same(transform, functions, *args):
    fast, plain = (jax.jit(transform(f))(*args) for f in functions)
    jax.tree.map(close, fast, plain)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=6)
@given(
    steps=st.sampled_from([1, 3, 8, 11]),
    batch=st.sampled_from([(), (2,), (300,), (2, 0)]),
    ways=st.sampled_from([{}, {"reverse": True}, {"bidirectional": True, "layers": 2}]),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_values_and_gradients(kind, steps, batch, ways, bias, seed):
    layer, functions = both(kind, bias=bias, **ways)
    same(jax.value_and_grad, functions, arguments(layer, (*batch, steps), seed))


def second_order(f):
    """Reverse over reverse."""

    def slope(args):
        return sum(map(jnp.vdot, jax.tree.leaves(jax.grad(f)(args)), jax.tree.leaves(args)))

    return jax.grad(slope)


TRANSFORMS = {
    "forward": lambda f: lambda args: jax.jvp(f, (args,), (args,)),
    "jacobian": lambda f: jax.jacfwd(f),
    "forward over reverse": lambda f: lambda args: jax.jvp(jax.grad(f), (args,), (args,)),
    "reverse over reverse": second_order,
    "inputs alone": lambda f: lambda args: jax.grad(lambda x: f((args[0], x, args[2])))(args[1]),
    "weights alone": lambda f: lambda args: jax.grad(lambda p: f((p, *args[1:])))(args[0]),
    "state alone": lambda f: lambda args: jax.grad(lambda s: f((*args[:2], s)))(args[2]),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_mode_of_differentiation(kind, name):
    layer, functions = both(kind)
    same(TRANSFORMS[name], functions, arguments(layer, (2, 8)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_for_each_example(kind):
    layer, functions = both(kind, reverse=True)
    params, x, state = arguments(layer, (5, 2, 8))

    def transform(f):
        def grad(params, x, state):
            return jax.grad(f)((params, x, state))

        return jax.vmap(grad, (None, 0, 0))

    same(transform, functions, params, x, state)


@given(steps=st.integers(1, 300), rows=st.sampled_from([0, 1, 32, 5000]))
@settings(deadline=None)
def test_chunks_are_the_sequence(steps, rows):
    chunks = jax.eval_shape(recurrence._chunks, jax.ShapeDtypeStruct((steps, rows, 2), "float32"))
    assert chunks.shape[0] * chunks.shape[1] == steps
    assert chunks.shape[1] >= min(steps, 4)
    assert chunks.shape[2:] == (rows, 2)


def taken(layer, x, **options):
    params = drawn(specs(layer, jnp.zeros(x.shape)), 0)
    params = jax.tree.map(lambda p: p.astype(x.dtype), params)
    return "name=_along" in str(jax.make_jaxpr(lambda p, x: layer(p, x, **options))(params, x))


def test_what_it_is_not_written_for_goes_step_by_step(monkeypatch):
    x = draw((2, 8, 4))
    assert taken(nn.LSTM(3), x)
    assert taken(nn.GRU(3), x, key=jax.random.key(0))
    assert taken(nn.Recurrent(nn.GRUCell(3)), x.astype("float32"))
    for layer in (
        nn.LSTM(3, projection=2),
        nn.LSTM(3, peepholes=True),
        nn.LSTM(3, activation=nn.relu),
        nn.LSTM(3, recurrent_activation=nn.relu),
        nn.GRU(3, reset="before"),
        nn.GRU(3, unroll=2),
    ):
        assert not taken(layer, x), layer
    assert not taken(nn.LSTM(3), x.astype("bfloat16"))
    assert not taken(nn.LSTM(3), x, lengths=jnp.array([8, 2]))
    assert not taken(nn.LSTM(3, recurrent_dropout=0.5), x, key=jax.random.key(0))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not taken(nn.GRU(5), x)
