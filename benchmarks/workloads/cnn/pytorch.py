"""The same in PyTorch."""

import numpy as np
import torch
from torch import nn

from benchmarks.trial_torch import Training, channels_first, load, translated
from benchmarks.workload import Task


def network(weights: dict[str, np.ndarray]) -> nn.Sequential:
    """With the task's weights."""
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip
    arrays = translated(weights)
    # It flattens channels before pixels.
    pixels = arrays["6.weight"].reshape(128, 144, 64)
    arrays["6.weight"] = pixels.swapaxes(1, 2).reshape(128, 9216)
    load(model, arrays)
    return model


def build(task: Task, variant: str) -> Training:
    """Its training."""

    def loss_of(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return nn.functional.cross_entropy(model(batch["x"]), batch["y"])

    def adam(parameters, **options):
        return torch.optim.Adam(parameters, lr=1e-3, **options)

    model, batch = network(task.weights), task.data | {"x": channels_first(task.data["x"])}
    return Training(model, loss_of, adam, batch, variant, task.device)
