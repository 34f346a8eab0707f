"""``init``."""

import jax

from benchmarks.networks.gpt import gpt
from benchmarks.trial_init import Initializing
from benchmarks.workload import Task


def build(task: Task, variant: str) -> Initializing:
    """Its parameters."""
    net, ids = gpt(*task.settings["network"]), jax.ShapeDtypeStruct((1, 1024), "int32")
    return Initializing(lambda: net.init(jax.random.key(0), ids), variant)
