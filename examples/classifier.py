"""The article's Keras program: Dense 10 relu, Dense 2 softmax, Adam, 10 epochs of batch 32."""

import jax
import numpy as np

import jaxnet as jn
from jaxnet import nn

rng = np.random.default_rng(0)
x = rng.random((1000, 20), dtype=np.float32)
y = jn.losses.one_hot((x.sum(1) > 10).astype(int), 2)

net = nn.Sequential(nn.Linear(10), nn.relu, nn.Linear(2), nn.softmax)


def loss_fn(params, batch, key):
    x, y = batch
    probabilities = net(params, x, key=key)
    loss = jn.losses.categorical_cross_entropy(probabilities, y)
    return loss, {"accuracy": jn.metrics.accuracy(probabilities, y)}


tx = jn.optim.adam(1e-3, preset="keras")
state = jn.train.TrainState.create(net.init(jax.random.key(0), x), tx, jax.random.key(1))
state, history = jn.train.fit(loss_fn, tx, state, (x, y), epochs=10, batch_size=32)

predictions = jn.train.predict(net, state.params, x[:5])
print("classes", predictions.argmax(-1), "truth", y[:5].argmax(-1))
