"""The same in Flax NNX."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from benchmarks.trial_flax import load, training
from benchmarks.trial_jax import Training
from benchmarks.weights import unstacked
from benchmarks.workload import Task
from benchmarks.workloads.gpt import SIZE

VOCABULARY, WIDTH, DEPTH, HEADS, LENGTH = SIZE


class Block(nnx.Module):
    """Attention and two linear layers, each on a path around the input."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm1, self.norm2 = (nnx.LayerNorm(WIDTH, epsilon=1e-5, rngs=rngs) for _ in range(2))
        self.attention = nnx.MultiHeadAttention(HEADS, WIDTH, decode=False, rngs=rngs)
        self.mlp = nnx.List(
            [nnx.Linear(WIDTH, 4 * WIDTH, rngs=rngs), nnx.Linear(4 * WIDTH, WIDTH, rngs=rngs)]
        )

    def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
        x = x + self.attention(self.norm1(x), mask=mask)
        return x + self.mlp[1](nnx.gelu(self.mlp[0](self.norm2(x)), approximate=False))


class GPT(nnx.Module):
    """Tokens and their places through the blocks, to logits by the table of tokens."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(VOCABULARY, WIDTH, rngs=rngs)
        self.position = nnx.Param(jnp.zeros((LENGTH, WIDTH)))
        self.blocks = nnx.List([Block(rngs) for _ in range(DEPTH)])
        self.norm = nnx.LayerNorm(WIDTH, epsilon=1e-5, rngs=rngs)

    def __call__(self, ids: jax.Array) -> jax.Array:
        x, mask = self.embed(ids) + self.position[...], nnx.make_causal_mask(ids)
        for block in self.blocks:
            x = block(x, mask)
        return self.embed.attend(self.norm(x))


def loss_of(net: GPT, batch: dict[str, jax.Array]) -> jax.Array:
    """The cross-entropy of each next token."""
    ids, labels = batch["ids"][:, :-1], batch["ids"][:, 1:]
    return optax.softmax_cross_entropy_with_integer_labels(net(ids), labels).mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    net, weights = GPT(nnx.Rngs(0)), unstacked(task.weights)
    weights["embed/embedding"] = weights.pop("embed/kernel")
    weights["position"] = weights.pop("position/kernel")
    load(net, weights)
    return training(net, loss_of, optax.adamw(3e-4, weight_decay=0.1), task.data)
