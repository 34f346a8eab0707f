"""Modules of Haiku, whose parameters are a dict, in ``jax.jit``."""

import haiku as hk
import jax
import jax.numpy as jnp

from benchmarks.trial_jax import Training
from benchmarks.workload import Task
from benchmarks.workloads.overhead import NAMES, RATE, WIDTH


class Tiny(hk.Module):
    """Adds the distance of its two leaves from one."""

    def __call__(self, x: jax.Array) -> jax.Array:
        scale, bias = (hk.get_parameter(name, (WIDTH,), init=jnp.zeros) for name in NAMES)
        return x + (jnp.square(scale - 1) + jnp.square(bias - 1)).sum()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    count = task.settings["leaves"] // 2

    def network(x):
        for i in range(count):
            x = Tiny(name=f"tiny{i}")(x)
        return x

    net = hk.without_apply_rng(hk.transform(network))

    def step(params, batch):
        loss, grads = jax.value_and_grad(net.apply)(params, batch["x"])
        return jax.tree.map(lambda leaf, grad: leaf - RATE * grad, params, grads), loss

    arrays = {name: jnp.asarray(task.weights[f"0/{name}"]) for name in NAMES}
    params = {f"tiny{i}": {name: x[i] for name, x in arrays.items()} for i in range(count)}
    return Training(step, params, task.data)
