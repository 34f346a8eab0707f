"""The same in Flax NNX, computed in bfloat16, with the attention of ``jax.nn``."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from benchmarks.trial_flax import load, training
from benchmarks.trial_jax import Training
from benchmarks.weights import unstacked
from benchmarks.workload import Task


def attend(q: jax.Array, k: jax.Array, v: jax.Array, **_: Any) -> jax.Array:
    """Causal attention, by cuDNN where that can."""
    fast = jax.default_backend() == "gpu" and q.dtype == jnp.bfloat16
    how = "cudnn" if fast else "xla"
    return jax.nn.dot_product_attention(q, k, v, is_causal=True, implementation=how)


class Block(nnx.Module):
    """Attention and two linear layers, each on a path around the input."""

    def __init__(self, width: int, heads: int, options: dict[str, Any]) -> None:
        self.norm1, self.norm2 = (nnx.LayerNorm(width, epsilon=1e-5, **options) for _ in range(2))
        own: Any = {"decode": False, "attention_fn": attend}
        self.attention = nnx.MultiHeadAttention(heads, width, **own, **options)
        first, second = (
            nnx.Linear(width, 4 * width, **options),
            nnx.Linear(4 * width, width, **options),
        )
        self.mlp = nnx.List([first, second])

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp[1](nnx.gelu(self.mlp[0](self.norm2(x)), approximate=False))


class GPT(nnx.Module):
    """Tokens and their places through the blocks, to logits by the table of tokens."""

    def __init__(
        self, vocabulary: int, width: int, depth: int, heads: int, length: int, dtype: str
    ) -> None:
        options: Any = {"dtype": dtype, "rngs": nnx.Rngs(0)}
        self.embed = nnx.Embed(vocabulary, width, **options)
        self.position = nnx.Param(jnp.zeros((length, width)))
        self.blocks = nnx.List([Block(width, heads, options) for _ in range(depth)])
        self.norm = nnx.LayerNorm(width, epsilon=1e-5, **options)

    def __call__(self, ids: jax.Array) -> jax.Array:
        x = self.embed(ids)
        x = x + self.position[...].astype(x.dtype)
        for block in self.blocks:
            x = block(x)
        return self.embed.attend(self.norm(x)).astype(jnp.float32)


def loss_of(net: GPT, batch: dict[str, jax.Array]) -> jax.Array:
    """The cross-entropy of each next token."""
    ids, labels = batch["ids"][:, :-1], batch["ids"][:, 1:]
    return optax.softmax_cross_entropy_with_integer_labels(net(ids), labels).mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    net = GPT(*task.settings["network"], task.settings["dtype"])
    weights = unstacked(task.weights)
    weights["embed/embedding"] = weights.pop("embed/kernel")
    weights["position"] = weights.pop("position/kernel")
    load(net, weights)
    return training(net, loss_of, optax.adamw(3e-4, weight_decay=0.1), task.data)
