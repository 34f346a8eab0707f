"""Transformers: blocks against their parts, stacks against loops, and what must not be seen."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")


def made(layer, *inputs):
    """Parameters of a layer, none of which is zero."""
    params = layer.init(jax.random.key(0), *inputs)
    leaves, structure = jax.tree.flatten(params)
    return structure.unflatten([x + 0.3 * draw(x.shape, i) for i, x in enumerate(leaves)])


def pull(call, *args):
    """The value of a call, and the gradients of something of it."""

    @jax.jit
    def both(args):
        def loss(args):
            y = call(*args)
            return jnp.sin(y).sum(), y

        (_, y), grads = jax.value_and_grad(loss, has_aux=True)(args)
        return y, grads

    return both(args)


OPTIONS = {
    "hidden": 6,
    "activation": nn.swiglu,
    "norm": nn.RMSNorm(eps=1e-3),
    "norm_first": True,
    "bias": False,
}
ATTENTION = nn.MultiHeadAttention(2, groups=1, causal=True, rotary=nn.Rotary())
ENCODER = nn.TransformerEncoderLayer(ATTENTION, **OPTIONS)
DECODER = nn.TransformerDecoderLayer(2, 5, norm_first=True)


@pytest.mark.oracle("nn.TransformerEncoderLayer", gradients=True)
def test_options_are_those_of_the_parts():
    x = draw((2, 4, 4))
    params = made(ENCODER, x)
    assert set(params["mlp"]["0"]) == {"kernel"} and params["mlp"]["1"]["kernel"].shape == (3, 4)

    def parts(params, x):
        norm = functools.partial(nn.rms_norm, eps=1e-3)
        x = x + ATTENTION(params["attention"], norm(x, params["norm1"]["scale"]))
        h = norm(x, params["norm2"]["scale"]) @ params["mlp"]["0"]["kernel"]
        return x + nn.silu(h[..., :3]) * h[..., 3:] @ params["mlp"]["1"]["kernel"]

    jax.tree.map(close, pull(ENCODER, params, x), pull(parts, params, x))


@pytest.mark.oracle("nn.TransformerEncoder", "nn.TransformerDecoder", gradients=True)
@pytest.mark.parametrize(
    ("kind", "remat"), [(nn.TransformerEncoder, False), (nn.TransformerDecoder, True)]
)
def test_a_stack_is_the_loop(kind, remat):
    inputs = [draw((2, 3, 4))]
    block, mask = ENCODER, jnp.tri(3, dtype=bool)
    if kind is nn.TransformerDecoder:
        block, inputs = DECODER, [*inputs, draw((2, 2, 4), 1)]
    stack = kind(block, 2, norm=nn.LayerNorm(), remat=remat)
    params = made(stack, *inputs)

    def loop(params, x, *memory):
        for i in range(2):
            own = jax.tree.map(lambda leaf, i=i: leaf[i], params["layers"])
            x = block(own, x, *memory, mask=mask)
        return nn.layer_norm(x, params["norm"]["scale"], params["norm"]["bias"])

    run = functools.partial(stack, mask=mask)
    jax.tree.map(close, pull(run, params, *inputs), pull(loop, params, *inputs))


def test_a_causal_decoder_does_not_see_the_future():
    layer = nn.Transformer(2, 1, 2, 5, causal=True)
    source, target = draw((2, 3, 4)), draw((2, 5, 4), 1)
    params, call = made(layer, source, target), jax.jit(layer)
    later = call(params, source, target.at[:, 3:].add(1.0))
    close(later[:, :3], call(params, source, target)[:, :3])
    assert not np.allclose(later[:, 3:], call(params, source, target)[:, 3:])


def test_padding_is_never_read():
    layer = nn.Transformer(2, 2, 2, 5, norm_first=True)
    source, target = draw((1, 5, 4)), draw((1, 4, 4), 1)
    params = made(layer, source, target)
    padded = source.at[:, 3:].set(jnp.nan), target.at[:, 2:].set(jnp.nan)
    lengths = {"source_lengths": jnp.array([3]), "target_lengths": jnp.array([2])}
    y, grads = pull(functools.partial(layer, **lengths), params, *padded)
    wanted, short = pull(layer, params, source[:, :3], target[:, :2])
    close(y[:, :2], wanted)
    assert not y[:, 2:].any()
    jax.tree.map(close, grads[0], short[0])
    close(grads[1][:, :3], short[1])
    assert not grads[1][:, 3:].any() and not grads[2][:, 2:].any()


def test_a_key_drops_in_every_block():
    layer = nn.TransformerEncoder(nn.TransformerEncoderLayer(2, 5, dropout=0.5), 2)
    x = draw((2, 3, 4))
    params = made(layer, x)
    call = jax.jit(layer)
    first, again, other = (call(params, x, key=jax.random.key(i)) for i in (0, 0, 1))
    close(first, again)
    assert not np.allclose(first, other) and not np.allclose(first, call(params, x))
