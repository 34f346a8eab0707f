"""The same in PyTorch, with automatic mixed precision and flash attention."""

import torch
from torch import nn

from benchmarks.parts_torch import Block, arrays
from benchmarks.trial_torch import Training, channels_first, load
from benchmarks.workload import Task

EPS = 1e-6


class ViT(nn.Module):
    """Patches and a class token through the blocks."""

    def __init__(
        self, patch: int, width: int, depth: int, heads: int, classes: int, size: int
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        count = (size // patch) ** 2 + 1
        self.token, self.position = (nn.Parameter(torch.zeros(n, width)) for n in (1, count))
        blocks = (Block(width, heads, causal=False, eps=EPS) for _ in range(depth))
        self.blocks = nn.Sequential(*blocks)
        self.norm, self.head = nn.LayerNorm(width, EPS), nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.to(x.dtype).expand(len(x), -1, -1), x], 1) + self.position
        return self.head(self.norm(self.blocks(x)[:, 0]))


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
    dtype = torch.bfloat16 if task.settings["dtype"] == "bfloat16" else None
    return Training(model, loss_of, adamw, batch, variant, task.device, dtype)
