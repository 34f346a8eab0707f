"""The same in JAX and optax alone, compiled in as few programs as it takes."""

import json
import math
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

rng = np.random.default_rng(0)
settings = json.loads(sys.argv[1])


def linear(params: Any, x: jax.Array) -> jax.Array:
    """A dense layer."""
    return x @ params["kernel"] + params["bias"]


def drawn(key: jax.Array, shape: tuple[int, int], limit: float) -> dict[str, jax.Array]:
    """A dense layer's first weights, as PyTorch or Keras draw them."""
    one, two = jax.random.split(key)
    bias = jnp.zeros(shape[1])
    if settings["program"] == "regression":
        bias = jax.random.uniform(two, shape[1:], minval=-limit, maxval=limit)
    return {
        "kernel": jax.random.uniform(one, shape, minval=-limit, maxval=limit),
        "bias": bias,
    }


def step(state: Any, batch: Any) -> Any:
    """One step of training."""
    params, opt_state = state
    scores, grads = jax.value_and_grad(loss_fn, has_aux=True)(params, batch)
    updates, opt_state = tx.update(grads, opt_state, params)
    return (optax.apply_updates(params, updates), opt_state), scores


@jax.jit
def first(key: jax.Array) -> Any:
    """The state that training begins with."""
    one, two = jax.random.split(key)
    params = [drawn(one, sizes[:2], limits[0]), drawn(two, sizes[1:], limits[1])]
    return params, tx.init(params)


if settings["program"] == "regression":
    sizes, limits = (10, 20, 1), (1 / math.sqrt(10), 1 / math.sqrt(20))
    x, y = rng.random((32, 10), np.float32), rng.random((32, 1), np.float32)

    def loss_fn(params: Any, batch: Any) -> Any:
        """The mean squared error."""
        x, y = batch
        return jnp.square(linear(params[1], jax.nn.relu(linear(params[0], x))) - y).mean(), {}

    tx = optax.sgd(0.01)
    state, (loss, _) = jax.jit(step, donate_argnums=0)(first(jax.random.key(0)), (x, y))
    assert np.isfinite(loss)
else:
    sizes, limits = (20, 10, 2), (math.sqrt(6 / 30), math.sqrt(6 / 12))
    x = rng.random((100, 20), np.float32)
    y = np.eye(2, dtype=np.float32)[rng.integers(2, size=100)]

    def loss_fn(params: Any, batch: Any) -> Any:
        """The cross-entropy of probabilities, and the accuracy."""
        x, y = batch
        p = jax.nn.softmax(linear(params[1], jax.nn.relu(linear(params[0], x))))
        loss = -(jnp.log(jnp.clip(p, 1e-7, 1 - 1e-7)) * y).sum(-1).mean()
        return loss, {"accuracy": (p.argmax(-1) == y.argmax(-1)).mean()}

    def epoch(state: Any, order: jax.Array) -> Any:
        """Three whole batches and the rest."""
        state, _ = jax.lax.scan(
            lambda state, rows: step(state, (x[rows], y[rows])), state, order[:96].reshape(3, 32)
        )
        return step(state, (x[order[96:]], y[order[96:]]))

    x, y, tx = jnp.asarray(x), jnp.asarray(y), optax.adam(1e-3, eps=1e-7)
    state, compiled = first(jax.random.key(0)), jax.jit(epoch, donate_argnums=0)
    loss = np.nan
    for _ in range(10):
        state, (loss, _) = compiled(state, rng.permutation(100).astype(np.int32))
    assert np.isfinite(loss)

print([])
