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


def counted(state: Any, batch: Any) -> tuple[Any, jax.Array]:
    """The same, with all that a training carries in the dict."""
    params, loss = step(state["params"], batch)
    return {"params": params, "step": state["step"] + 1, "key": state["key"]}, loss


def build(task: Task, variant: str) -> Training:
    """Its training."""
    params = jax.tree.map(jnp.asarray, nested(unstacked(task.weights, "0")))
    if variant == "jit on a dict":
        return Training(step, params, task.data)
    words = jax.random.key_data(jax.random.key(0))
    state = {"params": params, "step": jnp.zeros((), jnp.int32), "key": words}
    return Training(counted, state, task.data)
