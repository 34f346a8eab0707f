"""JAX and optax: an epoch is a compiled loop over an order that NumPy makes."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.trial_jax import nested
from benchmarks.workload import Task
from benchmarks.workloads.article_keras import BATCH

TX = optax.adam(1e-3, eps=1e-7)


def loss_fn(params: Any, x: jax.Array, y: jax.Array) -> Any:
    """The cross-entropy of probabilities, as Keras clips them, and the accuracy."""
    h = jax.nn.relu(x @ params["0"]["kernel"] + params["0"]["bias"])
    p = jax.nn.softmax(h @ params["2"]["kernel"] + params["2"]["bias"])
    loss = -(jnp.log(jnp.clip(p, 1e-7, 1 - 1e-7)) * y).sum(-1).mean()
    return loss, (p.argmax(-1) == y.argmax(-1)).mean()


@functools.partial(jax.jit, donate_argnums=0)
def epoch(state: Any, x: jax.Array, y: jax.Array, order: jax.Array) -> Any:
    """The steps of an epoch, the last on what is left; the means of loss and accuracy."""

    def step(state: Any, rows: jax.Array) -> Any:
        params, opt_state = state
        scores, grads = jax.value_and_grad(loss_fn, has_aux=True)(params, x[rows], y[rows])
        updates, opt_state = TX.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), jnp.stack(scores)

    full = len(order) - len(order) % BATCH
    state, scores = jax.lax.scan(step, state, order[:full].reshape(-1, BATCH))
    total = BATCH * scores.sum(0)
    if full < len(order):
        state, scores = step(state, order[full:])
        total += (len(order) - full) * scores
    return state, total / len(order)


@jax.jit
def fresh(params: Any) -> Any:
    """The first state."""
    return jax.tree.map(jnp.copy, params), TX.init(params)


class Fit:
    """Trainings."""

    def __init__(self, task: Task) -> None:
        self.figures: dict[str, float] = {}
        self.x, self.y = task.data["x"], task.data["y"]
        self.params, self.epochs = nested(task.weights), task.settings["epochs"]

    def check(self) -> list[float]:
        """The losses of all epochs, with the examples in their order."""
        return self._fit([np.arange(len(self.x))] * self.epochs)

    def run(self, n: int) -> int:
        """So many trainings."""
        rng = np.random.default_rng(0)
        for _ in range(n):
            self._fit([rng.permutation(len(self.x)) for _ in range(self.epochs)])
        return n

    def _fit(self, orders: list[np.ndarray]) -> list[float]:
        state, x, y = fresh(self.params), jnp.asarray(self.x), jnp.asarray(self.y)
        history = []
        for order in orders:
            state, means = epoch(state, x, y, order.astype(np.int32))
            history.append(means)
        return np.array(jax.device_get(history))[:, 0].tolist()


def build(task: Task, variant: str) -> Fit:
    """Its training."""
    return Fit(task)
