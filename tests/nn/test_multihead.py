"""Multi-head attention: its options against their parts, and decoding against the whole call."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")


def tokens():
    """Made in a test, for only there they are float64."""
    return draw((2, 6, 8))


FULL = nn.MultiHeadAttention(
    4,
    groups=2,
    value_size=3,
    causal=True,
    window=3,
    rotary=nn.Rotary(),
    qk_norm=nn.RMSNorm(eps=1e-3),
    relative=nn.RelativePosition(4, buckets=4, distance=5),
    sinks=True,
    gate=True,
    bias_kv=True,
)
PLAIN = nn.MultiHeadAttention(2, causal=True, rotary=nn.Rotary())


def made(layer, *inputs, seed=0):
    """Parameters of a layer, none of which is zero."""
    params = layer.init(jax.random.key(seed), *inputs)
    leaves, structure = jax.tree.flatten(params)
    return structure.unflatten([x + 0.3 * draw(x.shape, i) for i, x in enumerate(leaves)])


def grads(call, *args):
    loss = jax.grad(lambda *args: jnp.sum(jnp.sin(call(*args))), tuple(range(len(args))))
    return jax.jit(loss)(*args)


def by_parts(params, x):
    """The layer with all its options, from the functions that it is made of."""
    q, k, v, gate = (
        jnp.einsum("btd,dhk->bthk", x, p["kernel"])
        + jnp.broadcast_to(p["bias"], (2, 6, *p["bias"].shape))
        for p in (params[name] for name in ("query", "key", "value", "gate"))
    )
    q = nn.rotary(nn.rms_norm(q, params["query_norm"]["scale"], eps=1e-3))
    k = nn.rotary(nn.rms_norm(k, params["key_norm"]["scale"], eps=1e-3))
    relative = nn.RelativePosition(4, buckets=4, distance=5)
    bias = relative(params["relative"], 6, 6)
    seen = nn.attention_mask(6, 6, causal=True, window=3)
    # The learnt key stands first here, not last: its place must not matter.
    first = [
        jnp.broadcast_to(params[n], (2, 1, *params[n].shape)) for n in ("bias_key", "bias_value")
    ]
    k, v = jnp.concatenate([first[0], k], 1), jnp.concatenate([first[1], v], 1)
    bias = jnp.concatenate([jnp.zeros((4, 6, 1)), bias], -1)
    seen = jnp.concatenate([jnp.ones((6, 1), bool), seen], -1)
    y = nn.attention(q, k, v, bias=bias, mask=seen, sinks=params["sinks"])
    y = y * jax.nn.sigmoid(gate)
    return nn.linear(y, params["out"]["kernel"], params["out"]["bias"], axes=2)


@pytest.mark.oracle("nn.MultiHeadAttention", gradients=True)
def test_all_options_are_those_of_the_parts():
    x = tokens()
    params = made(FULL, x)
    close(jax.jit(FULL)(params, x), jax.jit(by_parts)(params, x))
    jax.tree.map(close, grads(FULL, params, x), grads(by_parts, params, x))


@pytest.mark.oracle("nn.KVCache")
@pytest.mark.parametrize("layer", [FULL, PLAIN])
def test_pieces_with_a_cache_are_the_whole(layer):
    x = tokens()
    params = made(layer, x)
    whole = jax.jit(layer)(params, x)
    decode = jax.jit(layer.decode)
    y, cache = decode(params, x[:, :3], layer.cache(params, (2,), 6))
    ys = [y]

    def step(cache, token):
        y, cache = layer.decode(params, token[:, None], cache)
        return cache, y[:, 0]

    cache, later = jax.lax.scan(step, cache, jnp.moveaxis(x[:, 3:], 1, 0))
    close(jnp.concatenate([*ys, jnp.moveaxis(later, 0, 1)], 1), whole)
    assert (cache.length == 6).all()
    over, _ = decode(params, x[:, :1], cache)
    assert jnp.isnan(over).all(), "one token too many must not pass for an answer"


def test_prompts_of_unequal_length():
    x = tokens()
    params, call, decode = made(PLAIN, x), jax.jit(PLAIN), jax.jit(PLAIN.decode)
    prompts = x[:, :4].at[1, 2:].set(jnp.nan)
    cache = PLAIN.cache(params, (2,), 8)
    y, cache = decode(params, prompts, cache, lengths=jnp.array([4, 2]))
    close(y[1, :2], call(params, x)[1, :2])
    y, cache = decode(params, x[:, 4:5], cache)
    shorter = x.at[1, 2].set(x[1, 4])
    close(y[0], call(params, shorter)[0, 4:5])
    close(y[1], call(params, shorter)[1, 2:3])


def test_weights_are_what_the_call_takes_its_means_by():
    x = tokens()
    layer = nn.MultiHeadAttention(2, bias=False, soft_cap=2.0)
    memory, lengths = draw((2, 5, 8), 3), jnp.array([4, 5])
    params = made(layer, x, memory)
    weights = layer.weights(params, x, memory, key_lengths=lengths)
    v = jnp.einsum("bsd,dhk->bshk", memory, params["value"]["kernel"])
    y = jnp.einsum("bhts,bshk,hko->bto", weights, v, params["out"]["kernel"])
    close(layer(params, x, memory, key_lengths=lengths), y)


def test_the_order_of_tokens_does_not_matter_without_positions():
    x = tokens()
    layer = nn.MultiHeadAttention(2)
    params, order = made(layer, x), jnp.array([4, 2, 0, 5, 1, 3])
    call, turned = jax.jit(layer), jax.jit(nn.MultiHeadAttention(2, rotary=nn.Rotary()))
    close(call(params, x[:, order]), call(params, x)[:, order])
    assert not np.allclose(turned(params, x[:, order]), turned(params, x)[:, order])


def test_only_differences_of_positions_matter():
    x = tokens()
    layer = nn.MultiHeadAttention(2, rotary=nn.Rotary(), relative=nn.ALiBi(2))
    params = made(layer, x)
    places = jnp.array([[0, 1, 2, 3, 4, 5], [2, 4, 6, 8, 9, 11]])
    call = jax.jit(layer)
    close(call(params, x, positions=places + 7), call(params, x, positions=places))
    close(call(params, x, positions=places)[0], call(params, x)[0])


def test_the_user_s_bias_adds_to_the_relative_one():
    x = tokens()
    layer = nn.MultiHeadAttention(2, relative=nn.ALiBi(2))
    plain = nn.MultiHeadAttention(2)
    params, bias = made(plain, x), draw((2, 2, 6, 6), 4)
    total = bias + nn.alibi(2, 6, 6)[None]
    close(layer(params, x, bias=bias), plain(params, x, bias=total))


def test_pytorchs_initial_values():
    params = nn.MultiHeadAttention(4).init(jax.random.key(0), jnp.zeros((1, 2, 64)))
    assert not params["query"]["bias"].any()
    assert not params["out"]["bias"].any()
    bounds = {"query": (6 / 256) ** 0.5, "value": (6 / 256) ** 0.5, "out": 1 / 8}
    for name, bound in bounds.items():
        assert 0.98 * bound < abs(params[name]["kernel"]).max() <= bound
    inputs = jnp.zeros((1, 2, 64)), jnp.zeros((1, 3, 32))
    params = nn.MultiHeadAttention(4).init(jax.random.key(0), *inputs)
    assert 0.98 * 0.25 < abs(params["key"]["kernel"]).max() <= 0.25


def test_a_key_drops_weights():
    x = tokens()
    layer = nn.MultiHeadAttention(2, dropout=0.5)
    params = made(layer, x)
    trained = layer(params, x, key=jax.random.key(1))
    assert not np.allclose(trained, layer(params, x))


FUSED = [
    {},
    {"groups": 2, "bias": False, "rotary": nn.Rotary(), "qk_norm": nn.RMSNorm(eps=1e-3)},
    {"groups": 1, "head_size": 3, "sinks": True, "gate": True, "initializer": "keras"},
]


@pytest.mark.slow
@pytest.mark.parametrize("options", FUSED)
@pytest.mark.parametrize("causal", [False, True])
def test_one_kernel_is_three_side_by_side(options, causal):
    x = tokens()
    layer, three = (
        nn.MultiHeadAttention(4, causal=causal, **options, fused=f) for f in (True, False)
    )
    params = made(layer, x)
    groups = options.get("groups", 4)

    def divided(params):
        pieces = {
            leaf: jnp.split(value, (4, 4 + groups), -2) for leaf, value in params["qkv"].items()
        }
        names = enumerate(("query", "key", "value"))
        rest = {name: x for name, x in params.items() if name != "qkv"}
        return rest | {name: {leaf: p[i] for leaf, p in pieces.items()} for i, name in names}

    chex.assert_trees_all_equal_shapes_and_dtypes(divided(params), three.init(jax.random.key(0), x))
    close(layer(params, x), three(divided(params), x))
    ours, theirs = grads(layer, params, x), grads(three, divided(params), x)
    jax.tree.map(close, (divided(ours[0]), ours[1]), theirs)
    if causal:
        cache = layer.cache(params, (2,), 6)
        first, cache = layer.decode(params, x[:, :4], cache)
        last, _ = layer.decode(params, x[:, 4:], cache)
        close(jnp.concatenate([first, last], 1), layer(params, x))


@pytest.mark.parametrize("preset", ["torch", "keras", "flax"])
@pytest.mark.parametrize("groups", [8, 2])
def test_one_kernel_is_drawn_as_three(preset, groups):
    """Each part has the deviation and the bounds that it has by itself."""
    x = jnp.zeros((1, 2, 256))
    options = {"groups": groups, "initializer": preset}
    one = nn.MultiHeadAttention(8, fused=True, **options).init(jax.random.key(0), x)["qkv"]
    three = nn.MultiHeadAttention(8, **options).init(jax.random.key(1), x)
    assert not one["bias"].any()
    parts = jnp.split(one["kernel"], (8, 8 + groups), -2)
    assert not jnp.array_equal(parts[1], parts[2])
    for part, name in zip(parts, ("query", "key", "value"), strict=True):
        other = three[name]["kernel"]
        assert part.shape == other.shape
        np.testing.assert_allclose(part.std(), other.std(), rtol=0.03)
        np.testing.assert_allclose(jnp.abs(part).max(), jnp.abs(other).max(), rtol=0.15)


def test_one_kernel_has_one_input():
    x = tokens()
    layer = nn.MultiHeadAttention(4, fused=True)
    params = made(layer, x)
    with pytest.raises(ValueError, match="of one input by one matrix, but was given a memory"):
        layer(params, x, x + 1)
    with pytest.raises(ValueError, match=r"all of one size, but was given value_size=3; leave"):
        nn.MultiHeadAttention(4, fused=True, value_size=3)
