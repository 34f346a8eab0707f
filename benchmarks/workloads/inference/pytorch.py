"""The same in PyTorch, in its mode for inference."""

import numpy as np
import torch

from benchmarks.trial_torch import channels_first
from benchmarks.workload import Task, contender


class Inference:
    """Calls on one input, one after the other."""

    def __init__(self, model: torch.nn.Module, x: torch.Tensor) -> None:
        self.figures: dict[str, float] = {}
        self.model, self.x = model.eval(), x

    @torch.inference_mode()
    def check(self) -> list[float]:
        """What comes out for the first example."""
        return self.model(self.x)[0].flatten()[:10].tolist()

    @torch.inference_mode()
    def run(self, n: int) -> int:
        """So many calls."""
        for _ in range(n):
            self.model(self.x)
        return n


def build(task: Task, variant: str) -> Inference:
    """Its calls."""
    x: np.ndarray = task.data["x"]
    model = contender(task.settings["network"], "pytorch").network(task.weights)
    model = torch.compile(model) if variant == "compiled" else model
    return Inference(model, torch.from_numpy(channels_first(x) if x.ndim == 4 else x))
