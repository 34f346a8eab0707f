"""Linear maps, bilinear ones, and those that an equation describes."""

from typing import Any

import torch
from case import Case
from torch import Tensor
from torch.nn import functional as F


def linear(p: dict[str, Tensor], x: Tensor) -> Tensor:
    return F.linear(x, p["kernel"].T, p.get("bias"))


def dense(p: dict[str, Tensor], x: Tensor, axes: int) -> Tensor:
    y = torch.tensordot(x, p["kernel"], axes)
    return y + p["bias"] if "bias" in p else y


def case(name: str, shape: tuple[int, ...], features: int, *, bias: bool = True) -> Case:
    params = {"kernel": (shape[-1], features)} | ({"bias": (features,)} if bias else {})
    options = {"features": features} | ({} if bias else {"bias": False})
    return Case(name, "nn.Linear", linear, (shape,), options, params)


def several(name: str, shape: Any, axes: int, features: tuple[int, ...]) -> Case:
    params = {"kernel": (*shape[len(shape) - axes :], *features), "bias": features}
    options = {"features": features, "axes": axes}
    return Case(name, "nn.Linear", lambda p, x: dense(p, x, axes), (shape,), options, params)


def einsum(name: str, equation: str, shape: Any, kernel: Any, own: Any = None, **options: Any):
    """``own`` is the shape of the bias beside the output, with ones where it is the same."""

    def run(p: dict[str, Tensor], x: Tensor) -> Tensor:
        y = torch.einsum(equation, x, p["kernel"])
        return y + p["bias"].reshape(own) if own else y

    params = {"kernel": kernel} | ({"bias": tuple(n for n in own if n > 1)} if own else {})
    return Case(name, "nn.Einsum", run, (shape,), {"equation": equation, **options}, params)


def bilinear(p: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    return F.bilinear(x, y, p["kernel"].movedim(-1, 0), p.get("bias"))


CASES = [
    case("linear", (4, 3), 5),
    case("linear_no_bias", (4, 3), 5, bias=False),
    case("linear_vector", (3,), 5),
    case("linear_leading_axes", (2, 3, 2, 3), 5),
    case("linear_one_feature", (4, 1), 1),
    several("linear_heads", (2, 3, 4), 1, (2, 5)),
    several("linear_from_heads", (2, 3, 2, 5), 2, (4,)),
    several("linear_everything", (2, 3), 2, (2, 1, 2)),
    Case(
        "linear_function",
        "nn.linear",
        lambda _, x, kernel, bias: F.linear(x, kernel.T, bias),
        ((2, 3, 4), (4, 5), (5,)),
    ),
    Case(
        "linear_function_axes",
        "nn.linear",
        lambda _, x, kernel: torch.tensordot(x, kernel, 2),
        ((2, 3, 4), (3, 4, 2, 2)),
        {"axes": 2},
    ),
    Case(
        "bilinear_function",
        "nn.bilinear",
        lambda _, x, y, kernel: F.bilinear(x, y, kernel.movedim(-1, 0)),
        ((3,), (2,), (3, 2, 4)),
    ),
    Case(
        "bilinear",
        "nn.Bilinear",
        bilinear,
        ((5, 3), (5, 2)),
        {"features": 4},
        {"kernel": (3, 2, 4), "bias": (4,)},
    ),
    Case(
        "bilinear_no_bias",
        "nn.Bilinear",
        bilinear,
        ((2, 1, 2, 3), (2, 1, 2, 2)),
        {"features": 1, "bias": False},
        {"kernel": (3, 2, 1)},
    ),
    einsum("einsum_dense", "...i,io->...o", (2, 3, 4), (4, 5), (5,), features=5, bias="o"),
    einsum("einsum_plain", "...i,io->...o", (4,), (4, 5), features=5),
    einsum(
        "einsum_heads", "...td,dhk->...thk", (2, 3, 4), (4, 2, 5), (2, 5), features=(2, 5),
        bias="hk",
    ),
    einsum("einsum_bias_part", "bti,tio->bto", (2, 3, 4), (3, 4, 5), (3, 1), features=5, bias="t"),
    einsum("einsum_own_kernel", "...hk,hkd->...hd", (2, 3, 4), (3, 4, 5), features=5),
    einsum("einsum_scale", "...d,d->...d", (2, 3), (3,)),
]  # fmt: skip
