"""Linear maps."""

from case import Case
from torch import Tensor
from torch.nn import functional as F


def linear(p: dict[str, Tensor], x: Tensor) -> Tensor:
    return F.linear(x, p["kernel"].T, p.get("bias"))


CASES = [
    Case(
        "linear", "nn.Linear", linear, ((4, 3),), {"features": 5}, {"kernel": (3, 5), "bias": (5,)}
    ),
    Case(
        "linear_no_bias",
        "nn.Linear",
        linear,
        ((4, 3),),
        {"features": 5, "bias": False},
        {"kernel": (3, 5)},
    ),
    Case(
        "linear_vector",
        "nn.Linear",
        linear,
        ((3,),),
        {"features": 5},
        {"kernel": (3, 5), "bias": (5,)},
    ),
    Case(
        "linear_leading_axes",
        "nn.Linear",
        linear,
        ((2, 3, 2, 3),),
        {"features": 5},
        {"kernel": (3, 5), "bias": (5,)},
    ),
    Case(
        "linear_one_feature",
        "nn.Linear",
        linear,
        ((4, 1),),
        {"features": 1},
        {"kernel": (1, 1), "bias": (1,)},
    ),
]
