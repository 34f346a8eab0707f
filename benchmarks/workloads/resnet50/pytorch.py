"""The same in PyTorch, with automatic mixed precision."""

import torch
from torch import nn

from benchmarks.trial_torch import Training, channels_first, load, translated
from benchmarks.workload import Task
from benchmarks.workloads.resnet18.pytorch import ConvNorm


class Block(nn.ModuleDict):
    """Three convolutions and the way around them."""

    def __init__(self, inputs: int, features: int, stride: int) -> None:
        super().__init__(
            {
                "0": ConvNorm(inputs, features, 1),
                "1": ConvNorm(features, features, 3, stride),
                "2": ConvNorm(features, 4 * features, 1),
            }
        )
        if inputs != 4 * features:
            self["short"] = ConvNorm(inputs, 4 * features, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.relu(self["0"](x), inplace=True)
        y = self["2"](nn.functional.relu(self["1"](y), inplace=True))
        return nn.functional.relu(y + (self["short"](x) if "short" in self else x), inplace=True)


def blocks() -> list[Block]:
    """Four stages."""
    made, inputs = [], 64
    for stage, depth in enumerate((3, 4, 6, 3)):
        for i in range(depth):
            made.append(Block(inputs, 64 * 2**stage, 2 if stage and not i else 1))
            inputs = 256 * 2**stage
    return made


def build(task: Task, variant: str) -> Training:
    """Its training."""
    model = nn.Sequential(
        ConvNorm(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1), *blocks(),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Linear(2048, 1000),
    )  # fmt: skip
    counts = {name: x.numpy() for name, x in model.state_dict().items() if name.endswith("tracked")}
    load(model, translated(task.weights) | counts)

    def loss_of(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return nn.functional.cross_entropy(model(batch["x"]), batch["y"])

    def sgd(parameters, **options):
        return torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, **options)

    batch = task.data | {"x": channels_first(task.data["x"])}
    dtype = torch.bfloat16 if task.settings["dtype"] == "bfloat16" else None
    return Training(model, loss_of, sgd, batch, variant, task.device, dtype)
