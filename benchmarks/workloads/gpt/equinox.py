"""The same in Equinox, whose layers see one sequence or one token at a time."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.trial_equinox import load, training
from benchmarks.trial_jax import Training
from benchmarks.weights import unstacked
from benchmarks.workload import Task
from benchmarks.workloads.gpt import SIZE

VOCABULARY, WIDTH, DEPTH, HEADS, LENGTH = SIZE
NAMES = {"query": "query_proj", "key": "key_proj", "value": "value_proj", "out": "output_proj"}


class Block(eqx.Module):
    """Attention and two linear layers, each on a path around the input."""

    norm1: eqx.nn.LayerNorm
    norm2: eqx.nn.LayerNorm
    attention: eqx.nn.MultiheadAttention
    mlp: tuple[eqx.nn.Linear, eqx.nn.Linear]

    def __init__(self, key: jax.Array) -> None:
        first, second, third = jax.random.split(key, 3)
        self.norm1 = self.norm2 = eqx.nn.LayerNorm(WIDTH)
        biases = {f"use_{name}_bias": True for name in ("query", "key", "value", "output")}
        self.attention = eqx.nn.MultiheadAttention(HEADS, WIDTH, **biases, key=first)
        wide = eqx.nn.Linear(WIDTH, 4 * WIDTH, key=second)
        self.mlp = wide, eqx.nn.Linear(4 * WIDTH, WIDTH, key=third)

    def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
        y = jax.vmap(self.norm1)(x)
        x = x + self.attention(y, y, y, mask)
        y = jax.vmap(self.mlp[0])(jax.vmap(self.norm2)(x))
        return x + jax.vmap(self.mlp[1])(jax.nn.gelu(y, approximate=False))


class GPT(eqx.Module):
    """Tokens and their places through the blocks, to logits by the table of tokens."""

    embed: eqx.nn.Embedding
    position: jax.Array
    blocks: list[Block]
    norm: eqx.nn.LayerNorm

    def __init__(self, key: jax.Array) -> None:
        self.embed = eqx.nn.Embedding(VOCABULARY, WIDTH, key=key)
        self.position = jnp.zeros((LENGTH, WIDTH))
        self.blocks = [Block(each) for each in jax.random.split(key, DEPTH)]
        self.norm = eqx.nn.LayerNorm(WIDTH)

    def __call__(self, ids: jax.Array) -> jax.Array:
        x, mask = jax.vmap(self.embed)(ids) + self.position, jnp.tri(LENGTH, dtype=bool)
        for block in self.blocks:
            x = block(x, mask)
        return jax.vmap(self.norm)(x) @ self.embed.weight.T


def loss_of(net: GPT, batch: Any) -> jax.Array:
    """The cross-entropy of each next token."""
    ids, labels = batch["ids"][:, :-1], batch["ids"][:, 1:]
    logits = jax.vmap(net)(ids)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def renamed(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """jaxnet's weights with heads merged, by the paths here."""
    arrays = {"embed/weight": weights.pop("embed/kernel")}
    arrays["position"] = weights.pop("position/kernel")
    for path, x in unstacked(weights).items():
        *parents, name, leaf = path.split("/")
        if name in NAMES:
            shape = (WIDTH, WIDTH) if leaf == "kernel" else (WIDTH,)
            name, x = NAMES[name], x.reshape(shape)
        arrays["/".join([*parents, name, leaf])] = x
    return arrays


def build(task: Task, variant: str) -> Training:
    """Its training."""
    net = load(GPT(jax.random.key(0)), renamed(task.weights))
    return training(net, loss_of, optax.adamw(3e-4, weight_decay=0.1), task.data)
