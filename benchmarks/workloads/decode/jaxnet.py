"""The layers of GPT, attention token by token with its cache."""

from typing import Any

import jax

from benchmarks.networks.gpt import gpt
from benchmarks.trial_decode import Decoder, Decoding, unstacked
from benchmarks.trial_jax import nested
from benchmarks.workload import Settings, Task
from jaxnet import nn
from jaxnet.train import Precision


def weights(settings: Settings) -> dict[str, Any]:
    """The parameters."""
    ids = jax.ShapeDtypeStruct((1, settings["network"][-1]), "int32")
    return gpt(*settings["network"]).init(jax.random.key(0), ids)


def decoder(settings: Settings) -> Decoder:
    """The network of a case, a token at a time."""
    vocabulary, width, _, heads, length = settings["network"]
    attention, norm = nn.MultiHeadAttention(heads, causal=True), nn.LayerNorm()
    embed, mlp = nn.Embed(vocabulary, width), nn.MLP(4 * width)

    def logits(params: Any, caches: Any, ids: jax.Array, t: jax.Array) -> tuple[jax.Array, Any]:
        x = embed(params["embed"], ids[:, None]) + params["position"]["kernel"][t]
        filled = []
        for block, cache in zip(params["blocks"], caches, strict=True):
            y, cache = attention.decode(block["attention"], norm(block["norm1"], x), cache)
            x = x + y
            x = x + mlp(block["mlp"], norm(block["norm2"], x))
            filled.append(cache)
        return embed.attend(params["embed"], norm(params["norm"], x))[:, 0], filled

    def empty(params: Any) -> list[nn.KVCache]:
        each = (block["attention"] for block in params["blocks"])
        return [attention.cache(block, (settings["batch"],), length) for block in each]

    return Decoder(logits, empty, length)


def build(task: Task, variant: str) -> Decoding:
    """Its writing."""
    params = Precision(task.settings["dtype"]).cast_params(nested(task.weights))
    return Decoding(task, decoder(task.settings), unstacked(params))
