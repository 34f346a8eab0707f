"""The same in Flax NNX."""

import jax
import optax
from flax import nnx

from benchmarks.trial_flax import load, training
from benchmarks.trial_jax import Training
from benchmarks.workload import Task


def loss_of(net: nnx.Sequential, batch: dict[str, jax.Array]) -> jax.Array:
    """The cross-entropy."""
    logits = net(batch["x"])
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["y"]).mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    rngs = nnx.Rngs(0)
    net = nnx.Sequential(
        nnx.Linear(784, 512, rngs=rngs), nnx.relu,
        nnx.Linear(512, 512, rngs=rngs), nnx.relu,
        nnx.Linear(512, 10, rngs=rngs),
    )  # fmt: skip
    load(net, {f"layers/{path}": x for path, x in task.weights.items()})
    return training(net, loss_of, optax.adam(1e-3), task.data)
