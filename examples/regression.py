"""The article's PyTorch program: 10 -> 20 -> 1 with a sigmoid, mean squared error, SGD."""

import jax

import jaxnet as jn
from jaxnet import nn

net = nn.Sequential(nn.Linear(20), nn.sigmoid, nn.Linear(1))
x = jax.random.normal(jax.random.key(0), (100, 10))
y = jax.random.normal(jax.random.key(1), (100, 1))


def loss_fn(params, batch, key):
    x, y = batch
    return jn.losses.mean_squared_error(net(params, x, key=key), y)


params = net.init(jax.random.key(2), x)
tx = jn.optim.sgd(0.01)
state = jn.train.TrainState.create(params, tx, jax.random.key(3))
step = jn.train.train_step(loss_fn, tx)

for epoch in range(100):
    state, metrics = step(state, (x, y))
    if epoch % 10 == 0:
        print(f"epoch {epoch}: loss {metrics['loss']:.4f}")
