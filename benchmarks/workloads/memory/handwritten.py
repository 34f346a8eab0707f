"""``jax.checkpoint`` and a loop over parts of the batch."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax

from benchmarks.parts_jax import block, linear, norm
from benchmarks.trial_jax import Training, nested, temporary_bytes
from benchmarks.workload import Task
from benchmarks.workloads.memory import parts


def conv(params: Any, x: jax.Array) -> jax.Array:
    """Three by three."""
    axes = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(x, params["kernel"], (1, 1), "SAME", dimension_numbers=axes)
    return y + params["bias"]


def residual(params: Any, x: jax.Array) -> jax.Array:
    """A convolution on a path around its input."""
    return x + conv(params["1"], jax.nn.relu(x))


def repeated(once: Any, params: Any, x: jax.Array, recomputed: bool) -> jax.Array:
    """Blocks on stacked leaves."""
    once = jax.checkpoint(once, prevent_cse=False) if recomputed else once
    return jax.lax.scan(lambda x, params: (once(params, x), None), x, params)[0]


def loss_fn(params: Any, batch: Any, recomputed: bool) -> jax.Array:
    """The cross-entropy."""
    if "ids" in batch:
        ids, labels = batch["ids"][:, :-1], batch["ids"][:, 1:]
        table = params["embed"]["kernel"]
        x = table[ids] + params["position"]["kernel"]
        x = repeated(functools.partial(block, causal=True), params["blocks"], x, recomputed)
        logits = norm(params["norm"], x) @ table.T
    else:
        x, labels = conv(params["0"], batch["x"]), batch["y"]
        x = repeated(residual, params["1"], x, recomputed)
        logits = linear(params["3"], x.mean((1, 2)))
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    count, tx = parts(variant), optax.adamw(1e-3, weight_decay=1e-2)
    one = functools.partial(loss_fn, recomputed="recomputed" in variant)

    def mean(params: Any, batch: Any) -> Any:
        """Loss and gradient, part after part."""
        divided = jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), batch)

        def add(total: Any, part: Any) -> Any:
            return jax.tree.map(jnp.add, total, jax.value_and_grad(one)(params, part)), None

        zeros = jnp.zeros(()), jax.tree.map(jnp.zeros_like, params)
        return jax.tree.map(lambda x: x / count, jax.lax.scan(add, zeros, divided)[0])

    def step(state: Any, batch: Any) -> tuple[Any, jax.Array]:
        params, opt_state = state
        gradient = mean if count > 1 else jax.value_and_grad(one)
        loss, grads = gradient(params, batch)
        updates, opt_state = tx.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), loss

    params = jax.tree.map(jnp.asarray, nested(task.weights))
    made = Training(step, (params, tx.init(params)), task.data)
    made.figures["temporary_bytes"] = temporary_bytes(made)
    return made
