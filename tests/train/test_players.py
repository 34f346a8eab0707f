"""Networks that train against each other need no step of their own."""

import jax
import jax.numpy as jnp
import numpy as np

import jaxnet as jn
from jaxnet import nn
from jaxnet.train import TrainState, train_step

key = jax.random.key(0)

# Real numbers lie around (2, -1); a player's gain is the other's loss.
real = 0.1 * jax.random.normal(key, (64, 2))
real = jnp.stack([real[:, 0] + 2, real[:, 1] - 1], -1)
fakes, judge = nn.Linear(2), nn.Sequential(nn.Linear(8), nn.tanh, nn.Linear(1))


def judged(params, x, label):
    logits = judge(params, x).squeeze(-1)
    return jn.losses.sigmoid_cross_entropy(logits, jnp.full(logits.shape, label))


def test_two_players_in_one_loss():
    stop = jax.lax.stop_gradient

    def loss_fn(params, real, key):
        made = fakes(params["fakes"], jax.random.normal(key, real.shape))
        fooled = judged(stop(params["judge"]), made, 1.0)
        told = judged(params["judge"], real, 1.0) + judged(params["judge"], stop(made), 0.0)
        return fooled + told, {"fooled": fooled, "told": told}

    params = {"fakes": fakes.init(key, real), "judge": judge.init(key, real)}
    adam = lambda rate: jn.optim.adam(rate, b1=0.5)
    tx = jn.optim.by_path({"fakes/**": adam(0.02), "judge/**": adam(0.05)})
    state = TrainState.create(params, tx, key)
    step = train_step(loss_fn, tx, steps=200)
    state, _ = step(state, jnp.broadcast_to(real, (200, *real.shape)))
    np.testing.assert_allclose(state.params["fakes"]["bias"], [2.0, -1.0], atol=0.4)


def test_two_players_with_a_state_each():
    def fool(params, batch, key):
        other, real = batch
        return judged(other, fakes(params, jax.random.normal(key, real.shape)), 1.0)

    def tell(params, batch, key):
        other, real = batch
        made = fakes(other, jax.random.normal(key, real.shape))
        return judged(params, real, 1.0) + judged(params, made, 0.0)

    slow, fast = jn.optim.adam(0.02, b1=0.5), jn.optim.adam(0.05, b1=0.5)
    forger = TrainState.create(fakes.init(key, real), slow, key)
    critic = TrainState.create(judge.init(key, real), fast, jax.random.key(1))
    fool, tell = train_step(fool, slow), train_step(tell, fast)
    for _ in range(200):
        critic, _ = tell(critic, (forger.params, real))
        forger, _ = fool(forger, (critic.params, real))
    np.testing.assert_allclose(forger.params["bias"], [2.0, -1.0], atol=0.4)
