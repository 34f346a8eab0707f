"""The same in PyTorch."""

from torch import nn

from benchmarks.trial_torch import Training
from benchmarks.workload import Task
from benchmarks.workloads.lstm.pytorch import training


def build(task: Task, variant: str) -> Training:
    """Its training."""
    return training(task, variant, nn.GRU)
