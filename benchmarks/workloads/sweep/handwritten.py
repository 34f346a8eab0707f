"""JAX alone: a step of all networks by ``vmap``, and a scan over the steps."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.trial_jax import nested
from benchmarks.workload import Task
from benchmarks.workloads.sweep import BATCH, EPOCHS


def loss_fn(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
    """The mean squared error."""
    h = jax.nn.relu(x @ params["0"]["kernel"] + params["0"]["bias"])
    return jnp.square(h @ params["2"]["kernel"] + params["2"]["bias"] - y).mean()


@jax.jit
def train(params: Any, rates: jax.Array, x: jax.Array, y: jax.Array, order: jax.Array) -> Any:
    """All epochs of all networks; the means of their losses in each epoch, and the parameters."""

    def of_one(params: Any, rate: jax.Array, x: jax.Array, y: jax.Array) -> Any:
        loss, grads = jax.value_and_grad(loss_fn)(params, x, y)
        return jax.tree.map(lambda leaf, grad: leaf - rate * grad, params, grads), loss

    def of_all(params: Any, rows: jax.Array) -> Any:
        return jax.vmap(of_one, (0, 0, None, None))(params, rates, x[rows], y[rows])

    params, losses = jax.lax.scan(of_all, params, order)
    return params, losses.reshape(EPOCHS, -1, len(rates)).mean(1)


class Sweep:
    """Trainings of all networks."""

    def __init__(self, task: Task) -> None:
        self.figures: dict[str, float] = {}
        weights, data = task.weights, jax.tree.map(jnp.asarray, task.data)
        order = jnp.asarray(weights.pop("order").reshape(-1, BATCH), jnp.int32)
        params = jax.tree.map(jnp.asarray, nested(weights))
        self.arguments = params, data["rates"], data["x"], data["y"], order

    def check(self) -> list[float]:
        """The last losses of all networks."""
        return np.asarray(train(*self.arguments)[1][-1]).tolist()

    def run(self, n: int) -> int:
        """So many times."""
        for _ in range(n):
            jax.block_until_ready(train(*self.arguments))
        return n


def build(task: Task, variant: str) -> Sweep:
    """Its trainings."""
    return Sweep(task)
