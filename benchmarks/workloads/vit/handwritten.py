"""The same in JAX and optax alone, its blocks stacked for one scan."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from benchmarks.parts_jax import block, linear, norm
from benchmarks.trial_jax import Training, optax_training
from benchmarks.workload import Task

EPS = 1e-6


def loss_fn(params: Any, batch: Any) -> jax.Array:
    """The cross-entropy."""
    x = linear(flat(params["patches"]), patches(batch["x"], params["patches"]["kernel"].shape[0]))
    token = jnp.broadcast_to(params["token"], (len(x), 1, x.shape[-1]))
    x = jnp.concatenate([token, x], 1) + params["position"]["kernel"]
    x, _ = jax.lax.scan(lambda x, own: (block(own, x, eps=EPS), None), x, params["blocks"])
    logits = linear(params["head"], norm(params["norm"], x[:, 0], EPS))
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["y"]).mean()


def patches(images: jax.Array, size: int) -> jax.Array:
    """``[B, H, W, C]`` to ``[B, patches, size * size * C]``."""
    n, height, width, channels = images.shape
    x = images.reshape(n, height // size, size, width // size, size, channels)
    return x.swapaxes(2, 3).reshape(n, -1, size * size * channels)


def flat(params: Any) -> Any:
    """The kernel of a convolution without overlap as that of a linear layer."""
    kernel = params["kernel"]
    return {"kernel": kernel.reshape(-1, kernel.shape[-1]), "bias": params["bias"]}


def build(task: Task, variant: str) -> Training:
    """Its training."""
    return optax_training(task, loss_fn, optax.adamw(1e-4, weight_decay=0.05), variant)
