"""Layers made of layers."""

from case import Case
from torch import Tensor
from torch.nn import functional as F

type Params = dict[str, Tensor]


def linear(p: Params, name: str, x: Tensor) -> Tensor:
    return F.linear(x, p[f"{name}/kernel"].T, p[f"{name}/bias"])


def mlp(p: Params, x: Tensor) -> Tensor:
    return linear(p, "2", F.gelu(linear(p, "1", F.gelu(linear(p, "0", x)))))


CASES = [
    Case(
        "mlp",
        "nn.MLP",
        mlp,
        ((4, 3),),
        {"hidden": [5, 2], "features": 3},
        {f"{i}/{k}": s for i, (a, b) in enumerate([(3, 5), (5, 2), (2, 3)])
         for k, s in (("kernel", (a, b)), ("bias", (b,)))},
    ),
]  # fmt: skip
