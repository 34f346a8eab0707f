"""Attention."""

import jax.numpy as jnp

from catalogue.inputs import normal
from jaxnet import nn

X, MEMORY = normal(2, 3, 4), normal(2, 5, 6)
HEADS, KEYS = normal(2, 3, 4, 2), normal(2, 5, 2, 2)
LENGTHS = jnp.array([1, 2, 3])

LAYERS = [
    ("multihead", nn.MultiHeadAttention(2), X),
    (
        "multihead-cross",
        nn.MultiHeadAttention(2, groups=1, value_size=1, bias_kv=True, dropout=0.2, gate=True),
        X, MEMORY,
    ),
    (
        "multihead-causal",
        nn.MultiHeadAttention(2, causal=True, window=1, rotary=nn.Rotary(), sinks=True,
                              soft_cap=2.0, qk_norm=nn.RMSNorm(eps=1e-3), initializer="keras"),
        X,
    ),
    ("multihead-fused", nn.MultiHeadAttention(2, groups=1, fused=True), X),
    ("additive-attention", nn.AdditiveAttention(), X, MEMORY[..., :4]),
    (
        "additive-attention-plain",
        nn.AdditiveAttention(scale=False, causal=True, dropout=0.3),
        X, MEMORY[..., :4], MEMORY,
    ),
]  # fmt: skip

LAYER = nn.MultiHeadAttention(2, causal=True)
PARAMS = {
    name: {"kernel": jnp.ones(shape), "bias": jnp.ones(shape[1:] if name != "out" else (4,))}
    for name, shape in {
        "query": (4, 2, 2), "key": (4, 2, 2), "value": (4, 2, 2), "out": (2, 2, 4)
    }.items()
}  # fmt: skip


def attend(query=HEADS, key=KEYS, value=KEYS, **options):
    return lambda: nn.attention(query, key, value, **options)


def add(query=X, key=X, value=X, scale=None, **options):
    return lambda: nn.additive_attention(query, key, value, scale, **options)


def layer(heads=2, *inputs, **options):
    return lambda: nn.MultiHeadAttention(heads, **options)(PARAMS, *(inputs or (X,)))


def decode(x=X, layer=LAYER, length=3, cast="float32", **options):
    cache = LAYER.cache(PARAMS, (2,), length)
    cache = cache._replace(key=cache.key.astype(cast))
    return lambda: layer.decode(PARAMS, x, cache, **options)


MISTAKES = [
    ("nn.attention", attend(query=HEADS[0, 0]), "query of attention", "at least 3 axes"),
    ("nn.attention", attend(query=HEADS.astype(int)), "query of attention", "floating point"),
    ("nn.attention", attend(query=HEADS[..., :1]), "key float32[2,5,2,2]", "head size"),
    ("nn.attention", attend(query=HEADS[:1]), "float32[1,3,4,2]", "same batch axes"),
    ("nn.attention", attend(query=HEADS.astype("bfloat16")), "bfloat16", "dtype"),
    ("nn.attention", attend(query=HEADS[..., :3, :]), "3 heads", "must divide"),
    ("nn.attention", attend(value=KEYS[:, 1:]), "value of attention", "one value"),
    ("nn.attention", attend(mask=jnp.ones((3, 5))), "mask of attention", "astype(bool)"),
    ("nn.attention", attend(mask=jnp.ones((2, 5), bool)), "mask", "bool[2,5]", "[3, 5]", "None, :"),
    ("nn.attention", attend(bias=jnp.ones((2, 3, 5))), "bias of attention", "[2, 4, 3, 5]"),
    ("nn.attention", attend(bias=jnp.ones((3, 5), int)), "bias of attention", "floating point"),
    ("nn.attention", attend(window=-1), "window of attention", "at least 0"),
    ("nn.attention", attend(window=(1, 2, 3)), "window", "(left, right)"),
    ("nn.attention", attend(key_lengths=LENGTHS), "key_lengths", "[2]", "each example"),
    ("nn.attention", attend(query_lengths=jnp.ones(2)), "query_lengths", "integers"),
    ("nn.attention", attend(sinks=jnp.zeros(2)), "sinks of attention", "4 heads"),
    ("nn.attention", attend(soft_cap=0.0), "soft_cap of attention", "above 0"),
    ("nn.attention", attend(dropout=1.0), "dropout rate", "below 1"),
    ("nn.attention", attend(implementation="cuda"), "implementation='cuda'", "'cudnn'"),
    ("nn.attention", attend(implementation="cudnn", soft_cap=1.0), "cudnn", "soft_cap", "'xla'"),
    ("nn.attention", attend(implementation="cudnn"), "16-bit", "bfloat16"),
    ("nn.attention_weights", lambda: nn.attention_weights(HEADS, KEYS[:1]), "same batch axes"),
    ("nn.attention_mask", lambda: nn.attention_mask(0, 3), "queries of attention_mask", "least 1"),
    ("nn.attention_mask", lambda: nn.attention_mask(3, jnp.ones(())), "keys", "[..., T]"),
    ("nn.additive_attention", add(query=X[0, 0]), "query of additive_attention", "at least 2"),
    ("nn.additive_attention", add(key=MEMORY), "float32[2,5,6]", "Linear"),
    ("nn.additive_attention", add(scale=jnp.ones(3)), "scale of additive_attention", "[4]"),
    ("nn.additive_attention", add(mask=X > 0), "mask of attention", "[2, 3, 3]"),
    ("nn.AdditiveAttention", lambda: nn.AdditiveAttention(dropout=-0.1), "dropout rate"),
    ("nn.MultiHeadAttention", layer(0), "heads of MultiHeadAttention", "at least 1"),
    ("nn.MultiHeadAttention", layer(4, groups=3), "groups=3", "must divide"),
    ("nn.MultiHeadAttention", layer(2, head_size=0), "head_size of MultiHeadAttention"),
    ("nn.MultiHeadAttention", layer(2, sinks=True, add_zero=True), "add_zero", "choose one"),
    ("nn.MultiHeadAttention", layer(2, dropout=2.0), "dropout rate"),
    ("nn.MultiHeadAttention", layer(2, window=1.5), "window of attention"),
    ("nn.MultiHeadAttention", layer(2, soft_cap=-1.0), "soft_cap of MultiHeadAttention"),
    ("nn.MultiHeadAttention", layer(3), "4 features", "3 heads", "give head_size"),
    ("nn.MultiHeadAttention", layer(2, X[0, 0]), "input of MultiHeadAttention", "at least 2 axes"),
    ("nn.MultiHeadAttention", layer(2, X, MEMORY), "float32[2,5,6]"),
    ("nn.MultiHeadAttention", layer(2, X, X.astype(int)), "memory of MultiHeadAttention"),
    ("nn.MultiHeadAttention", layer(2, implementation="cuda"), "implementation='cuda'"),
    ("nn.MultiHeadAttention", lambda: LAYER(PARAMS, X, positions=LENGTHS), "give it rotary"),
    ("nn.MultiHeadAttention", decode(layer=nn.MultiHeadAttention(2)), "causal=True"),
    ("nn.KVCache", decode(length=2), "holds 2 tokens", "longer"),
    ("nn.KVCache", decode(X[:1]), "x of decode", "batch axes [2]"),
    ("nn.KVCache", decode(cast="bfloat16"), "key of the cache", "one dtype"),
    ("nn.KVCache", decode(lengths=LENGTHS), "lengths of", "[2]"),
    ("nn.KVCache", lambda: LAYER.cache(PARAMS, (2,), 0), "length of a cache", "at least 1"),
]
