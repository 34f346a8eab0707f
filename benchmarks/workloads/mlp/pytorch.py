"""The same in PyTorch."""

import numpy as np
import torch
from torch import nn

from benchmarks.trial_torch import Training, load, translated
from benchmarks.workload import Task


def network(weights: dict[str, np.ndarray]) -> nn.Sequential:
    """With the weights."""
    model = nn.Sequential(
        nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    )
    load(model, translated(weights))
    return model


def build(task: Task, variant: str) -> Training:
    """Its training."""

    def loss_of(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return nn.functional.cross_entropy(model(batch["x"]), batch["y"])

    def adam(parameters, **options):
        return torch.optim.Adam(parameters, lr=1e-3, **options)

    return Training(network(task.weights), loss_of, adam, task.data, variant, task.device)
