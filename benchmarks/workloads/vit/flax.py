"""The same in Flax NNX."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from benchmarks.trial_flax import load, training
from benchmarks.trial_jax import Training
from benchmarks.weights import unstacked
from benchmarks.workload import Task


class Block(nnx.Module):
    """Attention and two linear layers, each on a path around the input."""

    def __init__(self, width: int, heads: int, rngs: nnx.Rngs) -> None:
        self.norm1, self.norm2 = (nnx.LayerNorm(width, epsilon=1e-6, rngs=rngs) for _ in range(2))
        self.attention = nnx.MultiHeadAttention(heads, width, decode=False, rngs=rngs)
        self.mlp = nnx.List(
            [nnx.Linear(width, 4 * width, rngs=rngs), nnx.Linear(4 * width, width, rngs=rngs)]
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp[1](nnx.gelu(self.mlp[0](self.norm2(x)), approximate=False))


class ViT(nnx.Module):
    """Patches and a class token through the blocks."""

    def __init__(
        self, patch: int, width: int, depth: int, heads: int, classes: int, size: int
    ) -> None:
        rngs = nnx.Rngs(0)
        count = (size // patch) ** 2 + 1
        self.patches = nnx.Conv(
            3, width, (patch, patch), (patch, patch), padding="VALID", rngs=rngs
        )
        self.token, self.position = (nnx.Param(jnp.zeros((n, width))) for n in (1, count))
        self.blocks = nnx.List([Block(width, heads, rngs) for _ in range(depth)])
        self.norm = nnx.LayerNorm(width, epsilon=1e-6, rngs=rngs)
        self.head = nnx.Linear(width, classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.patches(x)
        x = x.reshape(len(x), -1, x.shape[-1])
        x = jnp.concatenate([jnp.broadcast_to(self.token[...], (len(x), 1, x.shape[-1])), x], 1)
        x = x + self.position[...]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 0]))


def build(task: Task, variant: str) -> Training:
    """Its training."""
    net, weights = ViT(*task.settings["network"], task.settings["size"]), unstacked(task.weights)
    weights["token"] = weights["token"][None]
    weights["position"] = weights.pop("position/kernel")
    load(net, weights)

    def loss_of(net: ViT, batch: dict[str, jax.Array]) -> jax.Array:
        logits = net(batch["x"])
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch["y"]).mean()

    return training(net, loss_of, optax.adamw(1e-4, weight_decay=0.05), task.data)
