"""The same in JAX and optax alone."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax

from benchmarks.parts_jax import block, cast, linear, norm
from benchmarks.trial_jax import Training, optax_training
from benchmarks.workload import Task

EPS = 1e-6


def logits_of(params: Any, images: jax.Array, unrolled: bool) -> jax.Array:
    """``[B, H, W, C]`` to ``[B, classes]``."""
    kernel = params["patches"]["kernel"]
    strides = kernel.shape[:2]
    axes = ("NHWC", "HWIO", "NHWC")
    x = jax.lax.conv_general_dilated(images, kernel, strides, "VALID", dimension_numbers=axes)
    x = x.reshape(len(x), -1, x.shape[-1]) + params["patches"]["bias"]
    token = jnp.broadcast_to(params["token"], (len(x), 1, x.shape[-1]))
    x = jnp.concatenate([token, x], 1) + params["position"]["kernel"]
    once = functools.partial(block, eps=EPS)
    if unrolled:
        for i in range(len(params["blocks"]["norm1"]["scale"])):
            x = once(jax.tree.map(lambda leaf, i=i: leaf[i], params["blocks"]), x)
    else:
        x, _ = jax.lax.scan(lambda x, params: (once(params, x), None), x, params["blocks"])
    return linear(params["head"], norm(params["norm"], x[:, 0], EPS))


def build(task: Task, variant: str) -> Training:
    """Its training."""

    def loss_fn(params: Any, batch: Any) -> jax.Array:
        params, images = cast((params, batch["x"]), task.settings["dtype"])
        logits = logits_of(params, images, variant == "unrolled").astype(jnp.float32)
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch["y"]).mean()

    return optax_training(task, loss_fn, optax.adamw(1e-4, weight_decay=0.05), variant)
