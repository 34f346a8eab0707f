"""``fit``, from a fresh state each time."""

from typing import Any

import jax

import jaxnet as jn
from benchmarks.trial_jax import nested
from benchmarks.workload import Settings, Task
from benchmarks.workloads.article_keras import BATCH
from jaxnet import nn

NET = nn.Sequential(
    nn.Linear(10, initializer="keras"), nn.relu, nn.Linear(2, initializer="keras"), nn.softmax
)  # fmt: skip
TX = jn.optim.adam(1e-3, preset="keras")


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters."""
    return NET.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 20), "float32"))


def loss_fn(params: Any, batch: Any, key: Any) -> Any:
    """The cross-entropy of probabilities, and the accuracy."""
    x, y = batch
    probabilities = NET(params, x, key=key)
    loss = jn.losses.categorical_cross_entropy(probabilities, y)
    return loss, {"accuracy": jn.metrics.accuracy(probabilities, y)}


class Fit:
    """Trainings."""

    def __init__(self, task: Task) -> None:
        self.figures: dict[str, float] = {}
        self.data = task.data["x"], task.data["y"]
        self.params, self.epochs = nested(task.weights), task.settings["epochs"]

    def check(self) -> list[float]:
        """The losses of all epochs, with the examples in their order."""
        return self._fit(shuffle=False)[1]["loss"]

    def run(self, n: int) -> int:
        """So many trainings."""
        for _ in range(n):
            jax.block_until_ready(self._fit())
        return n

    def _fit(self, **options: Any) -> Any:
        state = jn.train.TrainState.create(self.params, TX, jax.random.key(0))
        options |= {"epochs": self.epochs, "batch_size": BATCH, "progress": False}
        return jn.train.fit(loss_fn, TX, state, self.data, **options)


def build(task: Task, variant: str) -> Fit:
    """Its training."""
    return Fit(task)
