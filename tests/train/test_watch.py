"""A loss that is no longer finite is explained: which step, which layer, which operation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet as jn
from jaxnet import nn
from jaxnet.train import TrainState, fit, watch

rng = np.random.default_rng(0)
tx = optax.sgd(0.01)


class Logarithmic(nn.Layer):
    """An MLP with a log, which in the poisoned block is that of zero."""

    def __call__(self, params, x, *, key=None):
        x, poisoned = x
        wide = jnp.square(nn.Linear(16)(params["in"], x)) + 1
        wide = jnp.where(poisoned, 0 * wide, wide)
        return nn.Linear(x.shape[-1])(params["out"], jnp.log(wide))


class Block(nn.Layer):
    """A transformer block; the one with number 3 is poisoned by an example that is."""

    def __call__(self, params, x, *, key=None):
        x, poison, number = x
        normed = nn.LayerNorm()(params["norm1"], x)
        x = x + nn.MultiHeadAttention(2)(params["attn"], normed)
        poisoned = (poison > 0) & (number == 3)
        x = x + Logarithmic()(params["mlp"], (nn.LayerNorm()(params["norm2"], x), poisoned))
        return x, poison, number + 1


@nn.layer
def transformer(params, x, poison, *, key=None):
    blocks = nn.Repeat(Block(), 6)
    x, _, _ = blocks(params["blocks"], (x, poison.max(), jnp.zeros(())), key=key)
    return nn.Linear(1)(params["head"], x.mean(-2))


def transformer_loss(params, batch, key):
    x, poison, y = batch
    return jn.losses.mean_squared_error(transformer(params, x, poison, key=key), y)


@pytest.mark.parametrize("options", [{}, {"stream": True}, {"accumulate": 2}], ids=str)
def test_a_planted_nan_is_reported_with_step_path_and_operation(options):
    x = rng.standard_normal((64 * 4, 4, 8)).astype(np.float32)
    poison = np.zeros(len(x), np.float32)
    poison[57 * 4] = 1
    y = x.mean((1, 2))[:, None]
    params = transformer.init(jax.random.key(0), x[:4], poison[:4])
    state = TrainState.create(params, tx, jax.random.key(1))
    data = x, poison, y
    with pytest.raises(ValueError, match="the loss became") as caught:
        fit(
            transformer_loss, tx, state, data, epochs=2, batch_size=4, shuffle=False,
            progress=False, **options,
        )  # fmt: skip
    message = str(caught.value)
    assert "in epoch 1, at step 57" in message
    assert "blocks/mlp" in message and "iteration 3 of 6" in message and "log made" in message
    assert "from 0 to 0" in message and "test_watch.py" in message


def test_a_gradient_that_is_not_finite_is_found_before_the_loss_it_spoils():
    root = lambda params, batch, key: (jnp.sqrt(jnp.abs(params["w"])) * batch).mean()
    state = TrainState.create({"w": jnp.zeros(())}, tx, jax.random.key(0))
    with pytest.raises(ValueError, match=r"at step 0; (.|\n)*gradient of w is.*backward"):
        fit(root, tx, state, np.ones(8, np.float32), epochs=3, batch_size=4, progress=False)


def test_a_copy_of_the_state_is_kept_but_seldom(monkeypatch):
    taken, take = [], watch.copies
    monkeypatch.setattr(watch, "copies", lambda leaves: taken.append(1) or take(leaves))
    state = TrainState.create({"w": jnp.zeros(2**16)}, tx, jax.random.key(0))
    square = lambda params, batch, key: jnp.square(params["w"]).mean() + batch.mean()
    fit(square, tx, state, np.ones(64, np.float32), steps=300, batch_size=4, progress=False,
        steps_per_dispatch=1)  # fmt: skip
    assert 1 <= len(taken) < 60


def test_a_copy_outlives_the_state_that_a_dispatch_consumes():
    scale = lambda params, batch, key: (params["w"] * batch).mean()
    state = TrainState.create({"w": jnp.ones(())}, tx, jax.random.key(0))
    state = dataclasses.replace(state, extra={"mine": jax.random.key(1)})
    data = np.where(np.arange(64) == 41, np.nan, 1).astype(np.float32)
    with pytest.raises(ValueError, match=r"at step 10; the data holds values that are not finite"):
        fit(scale, tx, state, data, epochs=1, batch_size=4, shuffle=False, progress=False,
            steps_per_dispatch=16)  # fmt: skip


def test_a_stream_that_cannot_go_back_says_so():
    batches = (np.full(4, np.nan if i == 5 else 1.0, np.float32) for i in range(9))
    state = TrainState.create({"w": jnp.ones(())}, tx, jax.random.key(0))
    scale = lambda params, batch, key: (params["w"] * batch).mean()
    with pytest.raises(ValueError, match=r"became nan in epoch 1; .*step was not found"):
        fit(scale, tx, state, jn.data.Stream(batches), epochs=1, progress=False)
