"""The same in PyTorch."""

import numpy as np
import torch

from benchmarks.parts_torch import GPT, arrays
from benchmarks.trial_torch import Training, load
from benchmarks.workload import Task
from benchmarks.workloads.gpt import SIZE


def network(weights: dict[str, np.ndarray]) -> GPT:
    """With the weights."""
    model = GPT(*SIZE)
    load(model, arrays(weights))
    return model


def build(task: Task, variant: str) -> Training:
    """Its training."""

    def loss_of(model: GPT, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return model.loss(batch["ids"])

    def adamw(parameters, **options):
        return torch.optim.AdamW(parameters, lr=3e-4, weight_decay=0.1, **options)

    return Training(network(task.weights), loss_of, adamw, task.data, variant, task.device)
