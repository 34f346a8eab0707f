"""The same in PyTorch, with automatic mixed precision and flash attention."""

import torch

from benchmarks.parts_torch import GPT, arrays
from benchmarks.trial_torch import Training, load
from benchmarks.workload import Task


def build(task: Task, variant: str) -> Training:
    """Its training."""
    model = GPT(*task.settings["network"])
    load(model, arrays(task.weights))

    def loss_of(model: GPT, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return model.loss(batch["ids"])

    def adamw(parameters, **options):
        return torch.optim.AdamW(parameters, lr=3e-4, weight_decay=0.1, **options)

    dtype = torch.bfloat16 if task.settings["dtype"] == "bfloat16" else None
    return Training(model, loss_of, adamw, task.data, variant, task.device, dtype)
