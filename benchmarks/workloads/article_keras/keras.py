"""The program itself; the variant is Keras's backend."""

import keras

from benchmarks.workload import Task
from benchmarks.workloads.article_keras import BATCH


class Fit:
    """Trainings by ``model.fit``."""

    def __init__(self, task: Task) -> None:
        self.figures: dict[str, float] = {}
        self.data, self.epochs = task.data, task.settings["epochs"]
        self.model = keras.Sequential([
            keras.Input((20,)),
            keras.layers.Dense(10, activation="relu"),
            keras.layers.Dense(2, activation="softmax"),
        ])  # fmt: skip
        self.model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        names = "0/kernel", "0/bias", "2/kernel", "2/bias"
        self.first = [task.weights[name] for name in names]

    def check(self) -> list[float]:
        """The losses of all epochs, with the examples in their order."""
        return self._fit(shuffle=False).history["loss"]

    def run(self, n: int) -> int:
        """So many trainings; the optimizer's averages go on, which changes no time."""
        for _ in range(n):
            self._fit()
        return n

    def _fit(self, **options):
        self.model.set_weights(self.first)
        options |= {"epochs": self.epochs, "batch_size": BATCH, "verbose": 0}
        return self.model.fit(self.data["x"], self.data["y"], **options)


def build(task: Task, variant: str) -> Fit:
    """Its training."""
    return Fit(task)
