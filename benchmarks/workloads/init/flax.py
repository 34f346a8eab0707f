"""A network of Flax NNX, made in ``nnx.jit``."""

from flax import nnx

from benchmarks.trial_init import Initializing
from benchmarks.workload import Task
from benchmarks.workloads.gpt2.flax import GPT


def build(task: Task, variant: str) -> Initializing:
    """Its parameters."""
    make = nnx.jit(lambda: nnx.state(GPT(*task.settings["network"], "float32"), nnx.Param))
    return Initializing(make, variant)
