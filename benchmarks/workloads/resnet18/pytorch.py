"""The same in PyTorch."""

import torch
from torch import nn

from benchmarks.trial_torch import Training, channels_first, load, translated
from benchmarks.workload import Task


class ConvNorm(nn.Module):
    """A convolution and its batch normalisation."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x))


class Block(nn.ModuleDict):
    """Two convolutions and the way around them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        stride = outputs // inputs
        super().__init__(
            {"0": ConvNorm(inputs, outputs, 3, stride), "1": ConvNorm(outputs, outputs)}
        )
        if stride == 2:
            self["short"] = ConvNorm(inputs, outputs, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self["1"](nn.functional.relu(self["0"](x), inplace=True))
        return nn.functional.relu(y + (self["short"](x) if "short" in self else x), inplace=True)


def build(task: Task, variant: str) -> Training:
    """Its training."""
    widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
    model = nn.Sequential(
        ConvNorm(3, 64), nn.ReLU(inplace=True),
        *map(Block, widths[:-1], widths[1:]),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Linear(512, 10),
    )  # fmt: skip
    counts = {name: x.numpy() for name, x in model.state_dict().items() if name.endswith("tracked")}
    load(model, translated(task.weights) | counts)

    def loss_of(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return nn.functional.cross_entropy(model(batch["x"]), batch["y"])

    def sgd(parameters, **options):
        return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, **options)

    batch = task.data | {"x": channels_first(task.data["x"])}
    return Training(model, loss_of, sgd, batch, variant, task.device)
