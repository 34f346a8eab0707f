"""Transformers."""
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp

from catalogue.inputs import normal
from jaxnet import nn

X, MEMORY = normal(2, 3, 4), normal(2, 5, 6)
ENCODER = nn.TransformerEncoderLayer(2, 5)
DECODER = nn.TransformerDecoderLayer(2, 5)

LAYERS = [
    ("transformer-encoder-layer", ENCODER, X),
    (
        "transformer-encoder-layer-parts",
        nn.TransformerEncoderLayer(
            nn.MultiHeadAttention(2, groups=1, causal=True, rotary=nn.Rotary()),
            nn.MoE(3, 2, k=1, capacity_factor=None),
            norm=nn.RMSNorm(eps=1e-3),
            norm_first=True,
        ),
        X,
    ),
    ("transformer-decoder-layer", nn.TransformerDecoderLayer(2, 4, causal=True), X, MEMORY),
    (
        "transformer-encoder",
        nn.TransformerEncoder(
            nn.TransformerEncoderLayer(2, 4, activation=nn.swiglu, bias=False, norm_first=True),
            2, norm=nn.LayerNorm(), remat=True,
        ),
        X,
    ),
    ("transformer-decoder", nn.TransformerDecoder(DECODER, 2, norm=nn.LayerNorm()), X, MEMORY),
    ("transformer", nn.Transformer(2, 1, 1, 4, causal=True), normal(2, 5, 4), X),
]  # fmt: skip


def encode(*inputs, layer=ENCODER, **options):
    return lambda: layer.init(jax.random.key(0), *(inputs or (X,)), **options)


def decode(*inputs, layer=DECODER, **options):
    return lambda: layer.init(jax.random.key(0), *(inputs or (X, MEMORY)), **options)


def both(*sizes, **options):
    return lambda: nn.Transformer(*sizes, **options)


HEADS = nn.MultiHeadAttention(2)
STACK, PAIR = nn.TransformerEncoder(ENCODER, 2), nn.TransformerDecoder(DECODER, 2)
WHOLE = nn.Transformer(2, 1, 1, 4)

MISTAKES = [
    (
        "nn.TransformerEncoderLayer",
        lambda: nn.TransformerEncoderLayer(0),
        "attention of",
        "least 1",
    ),
    (
        "nn.TransformerEncoderLayer",
        lambda: nn.TransformerEncoderLayer(2, 0),
        "hidden of",
        "least 1",
    ),
    (
        "nn.TransformerEncoderLayer",
        lambda: nn.TransformerEncoderLayer(2, dropout=1.0),
        "dropout rate",
        "below 1",
    ),
    (
        "nn.TransformerEncoderLayer",
        lambda: nn.TransformerEncoderLayer(HEADS, causal=True),
        "causal=True",
        "MultiHeadAttention(…, causal=True)",
    ),
    ("nn.TransformerEncoderLayer", encode(X[0, 0]), "input of a transformer", "at least 2 axes"),
    ("nn.TransformerEncoderLayer", encode(X.astype(int)), "input of a transformer", "floating"),
    ("nn.TransformerEncoderLayer", encode(X[..., :3]), "3 features", "2 heads"),
    ("nn.TransformerEncoderLayer", encode(lengths=jnp.arange(3)), "lengths", "[2]"),
    ("nn.TransformerEncoderLayer", encode(lengths=jnp.ones(2)), "lengths", "integers"),
    ("nn.TransformerEncoderLayer", encode(mask=jnp.ones((3, 3))), "mask", "astype(bool)"),
    ("nn.TransformerEncoderLayer", encode(bias=jnp.ones((3, 2))), "bias", "broadcast"),
    (
        "nn.TransformerEncoderLayer",
        encode(layer=nn.TransformerEncoderLayer(2, nn.Linear(3))),
        "float32[2,3,3]",
        "keep its shape",
    ),
    ("nn.TransformerDecoderLayer", decode(X, MEMORY.astype(int)), "memory of a transformer"),
    ("nn.TransformerDecoderLayer", decode(X, MEMORY[0, 0]), "memory", "at least 2 axes"),
    ("nn.TransformerDecoderLayer", decode(X, MEMORY[:1]), "same batch axes"),
    ("nn.TransformerDecoderLayer", decode(memory_lengths=jnp.ones(2)), "lengths", "integers"),
    ("nn.TransformerDecoderLayer", decode(memory_mask=jnp.ones((3, 3), bool)), "mask", "[3, 5]"),
    ("nn.TransformerDecoderLayer", lambda: nn.TransformerDecoderLayer(2, -1), "hidden of"),
    ("nn.TransformerEncoder", lambda: nn.TransformerEncoder(ENCODER, 0), "n of", "at least 1"),
    ("nn.TransformerEncoder", lambda: nn.TransformerEncoder(8, 2), "layer of", "EncoderLayer(8)"),
    ("nn.TransformerEncoder", encode(layer=STACK, lengths=jnp.arange(3)), "lengths", "[2]"),
    ("nn.TransformerDecoder", lambda: nn.TransformerDecoder(DECODER, 1.5), "n of", "1.5"),
    ("nn.TransformerDecoder", lambda: nn.TransformerDecoder(None, 2), "layer of", "None"),
    ("nn.TransformerDecoder", decode(X[..., :3], MEMORY, layer=PAIR), "3 features", "2 heads"),
    ("nn.Transformer", both(0), "number of heads", "at least 1"),
    ("nn.Transformer", both(2, 0), "n of TransformerEncoder", "at least 1"),
    ("nn.Transformer", both(2, 1, 0), "n of TransformerDecoder", "at least 1"),
    ("nn.Transformer", both(2, 1, 1, 0), "hidden of", "at least 1"),
    ("nn.Transformer", both(dropout=-1.0), "dropout rate", "at least 0"),
    ("nn.Transformer", decode(X[..., :3], X, layer=WHOLE), "3 features", "2 heads"),
]
