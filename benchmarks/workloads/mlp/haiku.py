"""The same in Haiku, whose networks are pure functions: so its step is the handwritten one."""

from typing import Any

import haiku as hk
import jax
import optax

from benchmarks.trial_jax import Training, optax_training
from benchmarks.workload import Task

NET = hk.without_apply_rng(hk.transform(lambda x: hk.nets.MLP([512, 512, 10])(x)))


def loss_fn(params: Any, batch: Any) -> jax.Array:
    """The cross-entropy."""
    named = {
        f"mlp/~/linear_{i}": {"w": params[name]["kernel"], "b": params[name]["bias"]}
        for i, name in enumerate(("0", "2", "4"))
    }
    logits = NET.apply(named, batch["x"])
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch["y"]).mean()


def build(task: Task, variant: str) -> Training:
    """Its training."""
    return optax_training(task, loss_fn, optax.adam(1e-3), variant)
