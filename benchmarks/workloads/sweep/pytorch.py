"""A loop over the networks, and all of them as one by ``torch.func``."""

import torch
from torch import nn
from torch.func import functional_call, grad_and_value, vmap

from benchmarks.trial_torch import load, translated
from benchmarks.workload import Task
from benchmarks.workloads.sweep import BATCH, EPOCHS

mse = nn.functional.mse_loss


class Sweep:
    """Trainings of all networks."""

    def __init__(self, task: Task, variant: str) -> None:
        self.figures: dict[str, float] = {}
        self.train = one_by_one if variant == "one by one" else together
        weights, self.data = task.weights, {k: torch.from_numpy(x) for k, x in task.data.items()}
        order = torch.from_numpy(weights.pop("order"))
        self.batches = [rows for epoch in order for rows in epoch.split(BATCH)]
        first, hidden, last = task.settings["sizes"]
        self.model = nn.Sequential(nn.Linear(first, hidden), nn.ReLU(), nn.Linear(hidden, last))
        self.weights = [
            translated({path: x[i] for path, x in weights.items()})
            for i in range(len(self.data["rates"]))
        ]

    def check(self) -> list[float]:
        """The last losses of all networks."""
        return self._all().tolist()

    def run(self, n: int) -> int:
        """So many times."""
        for _ in range(n):
            self._all()
        return n

    def _all(self) -> torch.Tensor:
        """``[networks]``."""
        losses = self.train(self.model, self.weights, self.batches, **self.data)
        return losses.reshape(EPOCHS, -1, len(self.weights)).mean(1)[-1]


def one_by_one(model, weights, batches, x, y, rates):
    """The losses of all steps ``[steps, networks]``, one network after the other."""
    losses = []
    for arrays, rate in zip(weights, rates.tolist(), strict=True):
        load(model, arrays)
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        for rows in batches:
            optimizer.zero_grad()
            loss = mse(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
    return torch.stack(losses).reshape(len(weights), -1).T


def together(model, weights, batches, x, y, rates):
    """The losses of all steps ``[steps, networks]``, each step one of all networks."""
    params = {
        name: torch.stack([torch.from_numpy(arrays[name].copy()) for arrays in weights])
        for name in weights[0]
    }
    step = vmap(
        grad_and_value(lambda params, x, y: mse(functional_call(model, params, (x,)), y)),
        in_dims=(0, None, None),
    )
    losses = []
    with torch.no_grad():
        for rows in batches:
            grads, loss = step(params, x[rows], y[rows])
            for name, leaf in params.items():
                leaf -= rates.reshape(-1, *[1] * (leaf.ndim - 1)) * grads[name]
            losses.append(loss)
    return torch.stack(losses)


def build(task: Task, variant: str) -> Sweep:
    """Its trainings."""
    return Sweep(task, variant)
