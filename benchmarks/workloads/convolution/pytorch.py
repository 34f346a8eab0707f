"""The same in PyTorch."""

import numpy as np
import torch
from torch.nn import functional

from benchmarks.workload import Settings, Task
from benchmarks.workloads.convolution import some

FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


class Gradient:
    """The mean square of the operation, and its gradients."""

    def __init__(self, task: Task, variant: str) -> None:
        self.figures: dict[str, float] = {}
        self.settings = task.settings
        arrays = [np.moveaxis(task.data["x"], -1, 1)]
        if "kernel" in task.data:
            kernel = task.data["kernel"]
            arrays.append(kernel.transpose(-1, -2, *range(kernel.ndim - 2)))
        self.point = []
        for x in map(torch.from_numpy, map(np.ascontiguousarray, arrays)):
            if variant == "channels-last" and x.ndim in FORMATS:
                x = x.to(memory_format=FORMATS[x.ndim])
            self.point.append(x.requires_grad_())

    def gradients(self) -> tuple[torch.Tensor, ...]:
        """By the input, and by the kernel if there is one."""
        value = operation(self.settings, *self.point).square().mean()
        return torch.autograd.grad(value, self.point)

    def check(self) -> list[float]:
        """Entries of the gradients, in the order of the axes that all have."""
        x, *rest = (x.numpy() for x in self.gradients())
        kernels = (x.transpose(*range(2, x.ndim), 1, 0) for x in rest)
        return some([np.moveaxis(x, 1, -1), *kernels])

    def run(self, n: int) -> int:
        """So many."""
        for _ in range(n):
            self.gradients()
        return n


def operation(
    settings: Settings, x: torch.Tensor, kernel: torch.Tensor | None = None
) -> torch.Tensor:
    """The convolution or the pooling."""
    if kernel is None:
        return functional.max_pool2d(x, settings["pool"])
    padding = settings["padding"]
    if padding == "CAUSAL":
        x, padding = functional.pad(x, (kernel.shape[-1] - 1, 0)), 0
    conv = (functional.conv1d, functional.conv2d, functional.conv3d)[kernel.ndim - 3]
    options = {"stride": settings["stride"], "groups": settings["groups"]}
    return conv(x, kernel, padding=padding, **options)


def build(task: Task, variant: str) -> Gradient:
    """Its gradient."""
    return Gradient(task, variant)
