"""A whole training as a pure function, mapped over learning rates and seeds.

``jn.train.sweep`` compiles at each call; ``jax.jit`` of ``jax.vmap`` keeps the program.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnet as jn
from benchmarks.workload import Settings, Task
from benchmarks.workloads.sweep import BATCH, EPOCHS, EXAMPLES, RATES, SEEDS
from jaxnet import nn


def network(settings: Settings) -> nn.Layer:
    """Two linear layers."""
    _, hidden, last = settings["sizes"]
    return nn.Sequential(nn.Linear(hidden), nn.relu, nn.Linear(last))


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters of all networks, stacked; ``order``, of the examples in each epoch."""
    x = jax.ShapeDtypeStruct((1, settings["sizes"][0]), "float32")
    net, seeds = network(settings), jnp.tile(jnp.arange(SEEDS), RATES)
    batches = jn.data.Batches(np.arange(EXAMPLES), BATCH)
    params = jax.vmap(lambda seed: net.init(jax.random.key(seed), x))(seeds)
    return params | {"order": np.stack([batches.indices(epoch) for epoch in range(EPOCHS)])}


class Sweep:
    """Trainings of all networks."""

    def __init__(self, task: Task, variant: str) -> None:
        self.figures: dict[str, float] = {}
        self.rates, self.variant = task.data["rates"], variant
        x, y = (jnp.asarray(task.data[name]) for name in ("x", "y"))
        net = network(task.settings)

        def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
            x, y = batch
            return jn.losses.mean_squared_error(net(params, x, key=key), y)

        def train(lr: Any, seed: Any) -> dict[str, Any]:
            tx, key = jn.optim.sgd(lr), jax.random.key(seed)
            state = jn.train.TrainState.create(net.init(key, x), tx, key)
            state, history = jn.train.pure_fit(
                loss_fn, tx, state, (x, y), epochs=EPOCHS, batch_size=BATCH
            )
            return {"loss": history["loss"][-1], "params": state.params}

        self.train = train
        self.mapped = jax.jit(jax.vmap(train))

    def check(self) -> list[float]:
        """The last losses of all networks."""
        return np.ravel(self._all()["loss"]).tolist()

    def run(self, n: int) -> int:
        """So many times."""
        for _ in range(n):
            jax.block_until_ready(self._all())
        return n

    def _all(self) -> Any:
        if self.variant == "sweep":
            return jn.train.sweep(self.train, lr=self.rates[::SEEDS], seed=range(SEEDS)).results
        return self.mapped(self.rates, np.tile(np.arange(SEEDS), RATES))


def build(task: Task, variant: str) -> Sweep:
    """Its trainings."""
    return Sweep(task, variant)
