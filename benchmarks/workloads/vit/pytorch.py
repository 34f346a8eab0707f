"""The same in PyTorch."""

import torch
from torch import nn

from benchmarks.parts_torch import arrays
from benchmarks.trial_torch import Training, channels_first, load
from benchmarks.workload import Task
from benchmarks.workloads.vit_b.pytorch import ViT


def build(task: Task, variant: str) -> Training:
    """Its training."""
    model, weights = ViT(*task.settings["network"], task.settings["size"]), task.weights
    weights["token"] = weights["token"][None]
    load(model, arrays(weights))

    def loss_of(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return nn.functional.cross_entropy(model(batch["x"]), batch["y"])

    def adamw(parameters, **options):
        return torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.05, **options)

    batch = task.data | {"x": channels_first(task.data["x"])}
    return Training(model, loss_of, adamw, batch, variant, task.device)
