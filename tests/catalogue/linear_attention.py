"""Linear attention."""

import jax.numpy as jnp

from catalogue.inputs import normal
from jaxnet import nn

HEADS, KEYS = normal(2, 3, 4, 2), normal(2, 5, 2, 2)


def attend(query=HEADS, key=KEYS, value=KEYS, **options):
    return lambda: nn.linear_attention(query, key, value, **options)


MISTAKES = [
    ("nn.linear_attention", attend(query=HEADS[0, 0]), "query", "at least 3 axes"),
    ("nn.linear_attention", attend(query=HEADS.astype(int)), "query", "floating point"),
    ("nn.linear_attention", attend(query=HEADS[..., :1]), "key float32[2,5,2,2]", "head size"),
    ("nn.linear_attention", attend(query=HEADS[..., :3, :]), "3 heads", "must divide"),
    ("nn.linear_attention", attend(value=KEYS[:, 1:]), "value of linear_attention", "one value"),
    ("nn.linear_attention", attend(causal=True), "float32[2,3,4,2]", "leave causal out"),
    ("nn.linear_attention", attend(chunk=0), "chunk of linear_attention", "at least 1"),
    ("nn.linear_attention", attend(key_lengths=jnp.ones(2)), "key_lengths", "integers"),
    ("nn.linear_attention", attend(key_lengths=jnp.arange(3)), "key_lengths", "[2]"),
]
