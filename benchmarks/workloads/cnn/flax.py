"""The same in Flax NNX."""

import functools

import jax
import optax
from flax import nnx

from benchmarks.trial_flax import load, training
from benchmarks.trial_jax import Training
from benchmarks.workload import Task


def build(task: Task, variant: str) -> Training:
    """Its training."""
    rngs = nnx.Rngs(0)
    net = nnx.Sequential(
        nnx.Conv(1, 32, (3, 3), padding="VALID", rngs=rngs),
        nnx.relu,
        nnx.Conv(32, 64, (3, 3), padding="VALID", rngs=rngs),
        nnx.relu,
        functools.partial(nnx.max_pool, window_shape=(2, 2), strides=(2, 2)),
        lambda x: x.reshape(len(x), -1),
        nnx.Linear(9216, 128, rngs=rngs),
        nnx.relu,
        nnx.Linear(128, 10, rngs=rngs),
    )
    load(net, {f"layers/{path}": x for path, x in task.weights.items()})

    def loss_of(net: nnx.Sequential, batch: dict[str, jax.Array]) -> jax.Array:
        logits = net(batch["x"])
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch["y"]).mean()

    return training(net, loss_of, optax.adam(1e-3), task.data)
