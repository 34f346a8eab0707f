"""The programs as a user writes them."""

import json
import sys
from typing import Any

import jax
import numpy as np

import jaxnet as jn
from jaxnet import nn

rng = np.random.default_rng(0)
settings = json.loads(sys.argv[1])

if settings["program"] == "regression":
    net = nn.Sequential(nn.Linear(20), nn.relu, nn.Linear(1))
    x, y = rng.random((32, 10), np.float32), rng.random((32, 1), np.float32)

    def loss_fn(params: Any, batch: Any, key: Any) -> Any:
        """The mean squared error."""
        x, y = batch
        return jn.losses.mean_squared_error(net(params, x, key=key), y)

    tx = jn.optim.sgd(0.01)
    params = net.init(jax.random.key(0), x)
    state = jn.train.TrainState.create(params, tx, jax.random.key(1))
    state, metrics = jn.train.train_step(loss_fn, tx)(state, (x, y))
    assert np.isfinite(metrics["loss"])
else:
    net = nn.Sequential(
        nn.Linear(10, initializer="keras"), nn.relu, nn.Linear(2, initializer="keras"), nn.softmax
    )
    x = rng.random((100, 20), np.float32)
    y = np.eye(2, dtype=np.float32)[rng.integers(2, size=100)]

    def loss_fn(params: Any, batch: Any, key: Any) -> Any:
        """The cross-entropy of probabilities, and the accuracy."""
        x, y = batch
        probabilities = net(params, x, key=key)
        loss = jn.losses.categorical_cross_entropy(probabilities, y)
        return loss, {"accuracy": jn.metrics.accuracy(probabilities, y)}

    tx = jn.optim.adam(1e-3, preset="keras")
    params = net.init(jax.random.key(0), x)
    state = jn.train.TrainState.create(params, tx, jax.random.key(1))
    state, history = jn.train.fit(
        loss_fn, tx, state, (x, y), epochs=10, batch_size=32, progress=False
    )
    assert np.isfinite(history["loss"][-1])

print([])
