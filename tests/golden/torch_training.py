"""The contents of regression and batchnorm.safetensors."""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

type Arrays = dict[str, np.ndarray]


def regression() -> Arrays:
    """A linear map, a sigmoid and a linear map, fitted by SGD: 200 steps on batches of 32 of 64."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 10)).astype(np.float32)
    noise = 0.1 * rng.standard_normal((64, 1)).astype(np.float32)
    y = np.sin(x[:, :1]) + 0.5 * x[:, 1:2] + noise
    indices = epochs(rng, 64, 32, 200)
    net = nn.Sequential(nn.Linear(10, 20), nn.Sigmoid(), nn.Linear(20, 1))
    made = {"x": x, "y": y, "indices": indices} | weights(net, "initial")
    made |= train(net, F.mse_loss, x, y, indices, 0.01)
    return made | weights(net, "final")


class FirstConv(nn.Conv2d):
    """Takes images with features last, as jaxnet does."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.movedim(-1, 1))


class FlattenLast(nn.Module):
    """Flattens in jaxnet's order, features last; so no kernel's rows need reordering."""

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(1, -1).flatten(1)


def batchnorm() -> Arrays:
    """Four classifiers with BatchNorm, trained by SGD: 20 steps on batches of 16 of 48."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    made = {}
    for name, mean in (("dense", 0.0), ("shifted", 100.0)):
        net = nn.Sequential(
            nn.BatchNorm1d(6), nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)
        )
        x = (mean + rng.standard_normal((48, 6))).astype(np.float32)
        made |= classify(name, net, x, rng)
    blocks = [[nn.Linear(6, 6), nn.BatchNorm1d(6), nn.ReLU()] for _ in range(3)]
    net = nn.Sequential(*itertools.chain(*blocks), nn.Linear(6, 3))
    x = rng.standard_normal((48, 6)).astype(np.float32)
    made |= classify("repeated", net, x, rng)
    net = nn.Sequential(
        FirstConv(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), FlattenLast(), nn.Linear(4 * 3 * 4, 3)
    )
    # Images of 5 x 6, so that height and width cannot be confused.
    x = rng.standard_normal((48, 5, 6, 2)).astype(np.float32)
    return made | classify("image", net, x, rng)


def classify(name: str, net: nn.Module, x: np.ndarray, rng: np.random.Generator) -> Arrays:
    y = rng.integers(0, 3, len(x)).astype(np.int32)
    indices = epochs(rng, len(x), 16, 20)
    made = {"x": x, "y": y, "indices": indices} | weights(net, "initial")
    made |= train(net, F.cross_entropy, x, y.astype(int), indices, 0.1)
    made |= weights(net, "final")
    made["predictions"] = net.eval()(torch.from_numpy(x)).detach().numpy()
    return {f"{name}/{part}": array for part, array in made.items()}


def train(
    net: nn.Module,
    loss: Callable[..., Tensor],
    x: np.ndarray,
    y: np.ndarray,
    indices: np.ndarray,
    rate: float,
) -> Arrays:
    """The loss of every step before its update, and running statistics after it."""
    optimizer = torch.optim.SGD(net.parameters(), lr=rate)
    losses, stats = [], []
    for rows in indices:
        optimizer.zero_grad()
        value = loss(net(torch.from_numpy(x[rows])), torch.from_numpy(y[rows]))
        value.backward()
        optimizer.step()
        losses.append(value.item())
        found = weights(net, "stats").items()
        stats.append({path: leaf for path, leaf in found if "/stats/" in path})
    made = {"losses": np.array(losses, np.float32)}
    return made | {path: np.stack([step[path] for step in stats]) for path in stats[0]}


def epochs(rng: np.random.Generator, examples: int, batch: int, steps: int) -> np.ndarray:
    """Batches of indices, [steps, batch]: one permutation of all examples an epoch."""
    count = -(-steps * batch // examples)
    order = np.concatenate([rng.permutation(examples) for _ in range(count)])
    return order[: steps * batch].reshape(steps, batch).astype(np.int32)


def weights(net: nn.Module, prefix: str) -> Arrays:
    """All leaves by jaxnet's paths for a Sequential, in its layout."""
    names = {"running_mean": "stats/mean", "running_var": "stats/var"}
    made = {}
    for path, tensor in net.state_dict().items():
        position, name = path.split(".")
        if name == "num_batches_tracked":
            continue
        if name == "weight":
            # PyTorch's [out, in, …]; kernels of jaxnet end in [in, out].
            name = "kernel" if tensor.ndim > 1 else "scale"
            tensor = tensor.movedim((0, 1), (-1, -2)) if tensor.ndim > 1 else tensor
        # A copy: the next step changes the tensor in place.
        array = np.array(tensor.numpy(), order="C")
        made[f"{prefix}/{position}/{names.get(name, name)}"] = array
    return made
