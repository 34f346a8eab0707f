"""The same in PyTorch."""

import numpy as np
import torch
from torch import nn

from benchmarks.trial_torch import Training, device, load
from benchmarks.workload import Task


class Net(nn.Module):
    """A recurrent layer, and a linear one on its last output."""

    def __init__(self, layer: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.recurrent, self.head = layer, nn.Linear(layer.hidden_size, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.recurrent(x)[0][:, -1])


def training(task: Task, variant: str, kind: type[nn.LSTM | nn.GRU]) -> Training:
    """That of such a layer."""
    model = Net(kind(task.settings["inputs"], task.settings["hidden"], batch_first=True))
    weights = {path.split("/")[-1]: x for path, x in task.weights.items() if "recurrent/0/" in path}
    # It has two biases, of which the second counts in one gate of a GRU only. If both learnt, each
    # would make Adam's full step.
    own = weights.get("recurrent_bias", weights["bias"][:0])
    fixed = np.zeros(len(weights["bias"]) - len(own), np.float32)
    learnt = torch.from_numpy(np.concatenate([fixed, np.ones_like(own)])).to(device(task.device))
    model.recurrent.bias_hh_l0.register_hook(lambda grad: grad * learnt)
    load(model, {
        "recurrent.weight_ih_l0": weights["kernel"].T,
        "recurrent.weight_hh_l0": weights["recurrent"].T,
        "recurrent.bias_ih_l0": weights["bias"],
        "recurrent.bias_hh_l0": np.concatenate([fixed, own]),
        "head.weight": task.weights["head/kernel"].T,
        "head.bias": task.weights["head/bias"],
    })  # fmt: skip

    def loss_of(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return nn.functional.mse_loss(model(batch["x"]), batch["y"])

    def adam(parameters, **options):
        return torch.optim.Adam(parameters, lr=1e-3, **options)

    return Training(model, loss_of, adam, task.data, variant, task.device)


def build(task: Task, variant: str) -> Training:
    """Its training."""
    return training(task, variant, nn.LSTM)
