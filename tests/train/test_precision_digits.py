"""Handwritten digits are learnt as well in 16 bits as in 32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet as jn
from jaxnet import nn
from jaxnet.train import TrainState
from jaxnet.train.precision import Precision
from jaxnet.train.step import plain_step

STEPS, SEEDS = 200, 5


@pytest.mark.slow
def test_sixteen_bits_learn_digits_as_well():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = jnp.asarray(x[order] / 16, jnp.float32), jnp.asarray(y[order], jnp.int32)
    train, test = slice(0, 1280), slice(1280, None)
    epochs = [np.random.default_rng(i).permutation(1280) for i in range(STEPS // 10)]
    rows = np.stack(epochs).reshape(STEPS, 128)
    net = nn.Sequential(
        nn.Linear(128), nn.BatchNorm(), nn.relu, nn.Dropout(0.2),
        nn.Linear(64), nn.BatchNorm(), nn.relu, nn.Linear(10),
    )  # fmt: skip
    tx = jn.optim.adam(jn.optim.cosine(3e-3, STEPS))

    def loss_fn(params, batch, key):
        return jn.losses.softmax_cross_entropy(net(params, batch[0], key=key), batch[1])

    def accuracy_and_skips(precision):
        step = plain_step(loss_fn, tx, precision=precision)

        def run(key):
            params = net.init(key, x)
            state = TrainState.create(params, tx, key, precision=precision)
            batch = lambda i: (x[train][i], y[train][i])
            state, metrics = jax.lax.scan(lambda s, i: step(s, batch(i)), state, rows)
            right = net(state.params, x[test]).argmax(-1) == y[test]
            return 100 * right.mean(), metrics.get("skipped", jnp.zeros(1)).sum()

        keys = jax.random.split(jax.random.key(0), SEEDS)
        accuracy, skips = jax.jit(jax.vmap(run))(keys)
        print(f"{precision}: {accuracy.mean():.2f} %, {skips.mean()} steps skipped")
        return accuracy.mean(), skips

    whole, _ = accuracy_and_skips(None)
    assert whole > 98.5
    for precision in ("bfloat16", Precision(param="bfloat16", rounding="stochastic")):
        accuracy, _ = accuracy_and_skips(precision)
        assert abs(accuracy - whole) < 0.3
    # Too large a scale costs some steps, and then falls to what the gradients bear.
    accuracy, skips = accuracy_and_skips(Precision("float16", scale=2.0**28))
    assert abs(accuracy - whole) < 0.3 and ((skips > 0) & (skips < 20)).all()
