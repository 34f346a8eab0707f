"""The same in JAX and optax alone, its blocks stacked for one scan, or one by one."""

from typing import Any

import jax
import optax

from benchmarks.parts_jax import block, norm
from benchmarks.trial_jax import Training, optax_training
from benchmarks.weights import unstacked
from benchmarks.workload import Task


def logits(params: Any, ids: jax.Array) -> jax.Array:
    """Of the next tokens, by the table that looked up these."""
    table, blocks = params["embed"]["kernel"], params["blocks"]
    x = table[ids] + params["position"]["kernel"]
    if "0" in blocks:
        for i in range(len(blocks)):
            x = block(blocks[str(i)], x, causal=True)
    else:
        x, _ = jax.lax.scan(lambda x, params: (block(params, x, causal=True), None), x, blocks)
    return norm(params["norm"], x) @ table.T


def loss_fn(params: Any, batch: Any) -> jax.Array:
    """The cross-entropy of each next token."""
    ids, labels = batch["ids"][:, :-1], batch["ids"][:, 1:]
    losses = optax.softmax_cross_entropy_with_integer_labels(logits(params, ids), labels)
    return losses.mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    weights = unstacked(task.weights) if variant == "unrolled" else task.weights
    tx = optax.adamw(3e-4, weight_decay=0.1)
    return optax_training(task, loss_fn, tx, variant, weights)
