"""The blocks as one layer that is repeated, the step as ``train_step``."""

from typing import Any

import jax

import jaxnet as jn
from benchmarks.networks.gpt import GPT, gpt
from benchmarks.trial_compile import Compiling
from benchmarks.trial_jax import training
from benchmarks.workload import Settings, Task
from benchmarks.workloads.compile import HEADS, LENGTH, VOCABULARY, WIDTH


def network(settings: Settings) -> GPT:
    """So many blocks."""
    return gpt(VOCABULARY, WIDTH, settings["blocks"], HEADS, LENGTH)


def weights(settings: Settings) -> dict[str, Any]:
    """The first parameters."""
    return network(settings).init(jax.random.key(0), jax.ShapeDtypeStruct((1, LENGTH), "int32"))


def build(task: Task, variant: str) -> Compiling:
    """Its step."""
    net = network(task.settings)

    def loss_fn(params: Any, batch: Any, key: Any) -> jax.Array:
        return net.loss(params, batch["ids"], key)

    return Compiling(training(task, loss_fn, jn.optim.adamw(3e-4, weight_decay=0.1), "step"))
