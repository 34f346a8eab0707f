"""The same in JAX alone."""

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.parts_jax import cast, heads, merged, mlp, norm
from benchmarks.trial_decode import Decoder, Decoding, unstacked
from benchmarks.trial_jax import nested
from benchmarks.workload import Settings, Task

Cache = tuple[jax.Array, jax.Array]


def attention(params: Any, x: jax.Array, cache: Cache, t: jax.Array) -> tuple[jax.Array, Cache]:
    """Of one token ``[B, 1, D]`` to all up to it, with keys and values ``[B, S, H, K]``."""
    q, k, v = (heads(params[name], x) for name in ("query", "key", "value"))
    keys, values = (
        jax.lax.dynamic_update_slice_in_dim(old, new, t, 1)
        for old, new in zip(cache, (k, v), strict=True)
    )
    seen = (jnp.arange(keys.shape[1]) <= t)[None, None, None]
    y = jax.nn.dot_product_attention(q, keys, values, mask=seen)
    return merged(params["out"], y), (keys, values)


def logits(params: Any, caches: Any, ids: jax.Array, t: jax.Array) -> tuple[jax.Array, Any]:
    """Of the next token, and the caches with this one."""
    table = params["embed"]["kernel"]
    x = table[ids[:, None]] + params["position"]["kernel"][t]
    filled = []
    for block, cache in zip(params["blocks"], caches, strict=True):
        y, cache = attention(block["attention"], norm(block["norm1"], x), cache, t)
        x = x + y
        x = x + mlp(block["mlp"], norm(block["norm2"], x))
        filled.append(cache)
    return norm(params["norm"], x)[:, 0] @ table.T, filled


def decoder(settings: Settings) -> Decoder:
    """The network of a case, a token at a time."""
    _, width, depth, count, length = settings["network"]
    shape = settings["batch"], length, count, width // count

    def empty(params: Any) -> list[Cache]:
        zeros = jnp.zeros(shape, settings["dtype"])
        return [(zeros, zeros)] * depth

    return Decoder(logits, empty, length)


def build(task: Task, variant: str) -> Decoding:
    """Its writing."""
    params = cast(jax.tree.map(jnp.asarray, nested(task.weights)), task.settings["dtype"])
    return Decoding(task, decoder(task.settings), unstacked(params))
