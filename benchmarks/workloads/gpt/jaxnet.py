"""The network as layers, the step as ``train_step``."""

from typing import Any

import jax

import jaxnet as jn
from benchmarks.networks.gpt import gpt
from benchmarks.trial_jax import Training, training
from benchmarks.workload import Settings, Task
from benchmarks.workloads.gpt import SIZE

# For the backward pass: all that was computed, or the products, from which the rest is again.
NET, LEAN = gpt(*SIZE), gpt(*SIZE, repeat={"remat": "dots"})


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters."""
    return NET.init(jax.random.key(0), jax.ShapeDtypeStruct((1, SIZE[-1]), "int32"))


def build(task: Task, variant: str) -> Training:
    """Its training."""
    net = LEAN if "products" in variant else NET

    def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
        return net.loss(params, batch["ids"], key)

    return training(task, loss_fn, jn.optim.adamw(3e-4, weight_decay=0.1), variant)
