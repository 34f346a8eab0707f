"""Short trainings from one start, and looks at what came of them: two programs, compiled once.

All experiments share them. A rate is a factor on the updates of the user's own optimizer, so any
optimizer can be tried at any rate. Rates run one after the other: on a CPU that is as fast as all
at once under ``vmap`` for small models and faster for convolutions, takes the memory of one, and
stops when time is up.
"""

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core import stats, tree
from jaxnet.doctor.task import Kind, Task, measure
from jaxnet.train.state import TrainState
from jaxnet.train.step import LossFn, plain_step, scored

if TYPE_CHECKING:
    import optax

CHUNK = 20  # steps in one call of the training program
LOOK = 8  # batches in one call of the looking program


class Trial:
    """A model, its loss, its data and its start; ``spent`` counts seconds of training so far."""

    def __init__(
        self,
        model: Callable[..., Any],
        loss_fn: LossFn,
        tx: "optax.GradientTransformation",
        params: dict[str, Any],
        task: Task,
        data: tuple[np.ndarray, np.ndarray],
        size: int,
        key: jax.Array,
    ) -> None:
        self.params, self.task, self.size = params, task, size
        self.spent, self._key = 0.0, key
        self._first = TrainState.create(params, tx, key, rate=True)
        self._compiled = False
        self.data = jax.tree.map(jnp.asarray, data)

        self._run, self._look = _programs(model, loss_fn, tx, task.kind, task.classes)

    def train(self, factor: float, order: np.ndarray, x: Any = None) -> tuple[Any, np.ndarray]:
        """Parameters and losses after the batches of ``order`` ``[steps, B]``, from the start.

        ``x`` are inputs to take in place of the data's own.
        """
        data = (self.data[0] if x is None else x, self.data[1])
        state = dataclasses.replace(self._first, extra={"rate": jnp.float32(factor)})
        losses = []
        for part in order.reshape(-1, CHUNK, order.shape[-1]):
            began = time.perf_counter()
            state, some = self._run(state, data, part)
            losses.append(np.asarray(some))
            # The first call compiles.
            self.spent += (time.perf_counter() - began) * self._compiled
            self._compiled = True
        return state.params, np.concatenate(losses)

    def look(self, params: Any, rows: np.ndarray) -> tuple[dict[str, float], dict[str, Any]]:
        """Means over ``rows``, repeated or cut to fit, and the mean gradient by path."""
        order = np.resize(rows, (LOOK, self.size)).astype(np.int32)
        found, grads = self._look(params, self.data, order, self._key)
        return (
            {name: float(value) for name, value in found.items()},
            {path: np.asarray(grad) for path, grad in tree.flatten(grads).items()},
        )


@functools.lru_cache(maxsize=16)
def _programs(
    model: Callable[..., Any],
    loss_fn: LossFn,
    tx: "optax.GradientTransformation",
    kind: Kind,
    classes: int,
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Steps in a row, and a look; kept, so that a second diagnosis does not compile again."""
    step = plain_step(loss_fn, tx)

    @jax.jit
    def run(state: TrainState, data: Any, order: Any) -> Any:
        def once(state: TrainState, rows: jax.Array) -> tuple[TrainState, jax.Array]:
            state, metrics = step(state, jax.tree.map(lambda x: x[rows], data))
            return state, metrics["loss"]

        return jax.lax.scan(once, state, order)

    @jax.jit
    def look(params: Any, data: Any, order: Any, key: jax.Array) -> Any:
        def once(total: Any, rows: jax.Array) -> tuple[Any, Any]:
            batch = x, y = jax.tree.map(lambda x: x[rows], data)
            slope = jax.value_and_grad(lambda p: scored(loss_fn, p, batch, key), has_aux=True)
            (_, metrics), grads = slope(params)
            weights, _ = stats.divide(grads)
            found = {
                "loss": scored(loss_fn, params, batch, None)[0],
                "train loss": metrics["loss"],
                "square": sum(jnp.vdot(g, g).real for g in jax.tree.leaves(weights)),
            }
            found |= measure(model(params, x), y, kind, classes)
            trained = measure(model(params, x, key=key), y, kind, classes)
            found |= {f"train {name}": value for name, value in trained.items()}
            return jax.tree.map(jnp.add, total, grads), found

        zeros = jax.tree.map(jnp.zeros_like, params)
        total, found = jax.lax.scan(once, zeros, order)
        means = jax.tree.map(lambda x: x.mean(0), found)
        return means, jax.tree.map(lambda g: g / len(order), total)

    return run, look


def epochs_of(rows: np.ndarray, steps: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Batches ``[steps, size]`` of epochs in random order."""
    epochs = -(-steps * size // len(rows))
    order = np.concatenate([rng.permutation(rows) for _ in range(epochs)])
    return order[: steps * size].reshape(steps, size).astype(np.int32)
