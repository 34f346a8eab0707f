"""The vision transformer: an image as a sequence of its patches (arXiv:2010.11929)."""

from typing import Any

import jax
import jax.numpy as jnp

import jaxnet as jn
from jaxnet import nn


def vit(patch: int, width: int, depth: int, heads: int, classes: int) -> nn.Layer:
    """Pre-norm blocks on patches and a class token: ``[B, H, W, C] -> [B, classes]``.

    >>> net = vit(4, 16, 2, 2, 10)
    >>> params = net.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    >>> net(params, jnp.ones((2, 32, 32, 3))).shape
    (2, 10)
    """
    norm = nn.LayerNorm(eps=1e-6)
    options: Any = {"dropout": 0.0, "activation": nn.gelu, "norm": norm, "norm_first": True}
    block = nn.TransformerEncoderLayer(heads, 4 * width, **options)

    @nn.layer
    def net(params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        x = nn.Conv(width, patch, stride=patch)(params["patches"], x)
        x = x.reshape(x.shape[0], -1, width)
        token = jn.param(params, "token", (width,), jax.nn.initializers.zeros)
        x = jnp.concatenate([jnp.broadcast_to(token, (x.shape[0], 1, width)), x], 1)
        x = nn.LearnedPosition(x.shape[1])(params["position"], x)
        x = nn.Repeat(block, depth)(params["blocks"], x, key=key)
        return nn.Linear(classes)(params["head"], norm(params["norm"], x[:, 0]))

    return net
