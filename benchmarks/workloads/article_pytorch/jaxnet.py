"""The loop of one's own, ``train_step``, and ``fit``, which is the loop."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnet as jn
from benchmarks.trial_jax import CHECKED, Training, nested, training
from benchmarks.workload import Settings, Task
from jaxnet import nn

NET = nn.Sequential(nn.Linear(20), nn.relu, nn.Linear(1))
BATCHES, EPOCHS = 1000, 10
TX = jn.optim.sgd(0.01)


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters."""
    return NET.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 10), "float32"))


def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
    """The mean squared error."""
    return jn.losses.mean_squared_error(NET(params, batch["x"], key=key), batch["y"])


class Fit:
    """Calls of ``fit``, each with 1000 batches in 10 epochs."""

    def __init__(self, task: Task) -> None:
        self.figures: dict[str, float] = {}
        self.batch = task.data
        self.size = len(self.batch["x"])
        self.many = {name: jnp.asarray(np.tile(x, (BATCHES, 1))) for name, x in self.batch.items()}
        params = nested(task.weights)
        self.first = jn.train.TrainState.create(params, TX, jax.random.key(0))
        self.state = jax.tree.map(jnp.copy, self.first)

    def check(self) -> list[float]:
        """The losses of the first steps."""
        state = jax.tree.map(jnp.copy, self.first)
        return self._fit(state, self.batch, CHECKED)[1]["loss"]

    def run(self, n: int) -> int:
        """So many steps, or those of the last call too; how many."""
        calls = -(-n // (BATCHES * EPOCHS))
        for _ in range(calls):
            self.state, _ = self._fit(self.state, self.many, EPOCHS)
        jax.block_until_ready(self.state)
        return calls * BATCHES * EPOCHS

    def _fit(self, state: Any, data: Any, epochs: int) -> tuple[Any, Any]:
        return jn.train.fit(
            loss_fn, TX, state, data, epochs=epochs, batch_size=self.size, progress=False
        )


def build(task: Task, variant: str) -> Fit | Training:
    """Its training."""
    return Fit(task) if variant == "fit" else training(task, loss_fn, TX, variant)
