"""The program itself."""

import torch
from torch import nn

from benchmarks.trial_torch import Training, load, translated
from benchmarks.workload import Task


def build(task: Task, variant: str) -> Training:
    """Its training."""
    model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 1))
    load(model, translated(task.weights))

    def loss_of(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return nn.functional.mse_loss(model(batch["x"]), batch["y"])

    def sgd(parameters, **options):
        return torch.optim.SGD(parameters, lr=0.01, **options)

    return Training(model, loss_of, sgd, task.data, variant, task.device)
