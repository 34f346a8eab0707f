"""A dict of dicts and ``jax.jit``, with nothing around them."""

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.trial_jax import Training, nested
from benchmarks.weights import unstacked
from benchmarks.workload import Task
from benchmarks.workloads.overhead import RATE


def loss_fn(params: Any, batch: Any) -> jax.Array:
    """The distance of all leaves from one."""
    return batch["x"] + sum(jnp.square(leaf - 1).sum() for leaf in jax.tree.leaves(params))


def step(params: Any, batch: Any) -> tuple[Any, jax.Array]:
    """One step of gradient descent."""
    loss, grads = jax.value_and_grad(loss_fn)(params, batch)
    return jax.tree.map(lambda leaf, grad: leaf - RATE * grad, params, grads), loss


def build(task: Task, variant: str) -> Training:
    """Its training."""
    params = jax.tree.map(jnp.asarray, nested(unstacked(task.weights, "0")))
    return Training(step, params, task.data)
