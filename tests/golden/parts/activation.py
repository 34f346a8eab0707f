"""Activations, at their kinks and far out; gates and shares."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from case import Case
from torch import Tensor
from torch.nn import functional as F

# Small and large ones, and all kinks, where the gradient is PyTorch's choice.
POINTS = np.array([
    -1e3, -90, -30, -7, -3, -2.9, -1.1, -1, -0.7, -0.5, -0.3, -0.1, -1e-6, 0, 1e-6, 0.1,
    0.5, 0.99, 1, 1.01, 2.9, 3, 3.1, 5.9, 6, 6.1, 15, 21, 30, 90, 500, 1e3,
]).reshape(4, 8)  # fmt: skip


def hard_sigmoid(x: Tensor, alpha: float = 1 / 6, beta: float = 0.5) -> Tensor:
    # The gradient of F.hardsigmoid has a float32 1/6 in it even at float64.
    return F.hardtanh(alpha * x + beta, 0, 1)


def sparse_plus(x: Tensor) -> Tensor:
    inner = (x + 1) ** 2 / 4
    return torch.where(x <= -1, 0 * x, torch.where(x >= 1, x, inner))


def squareplus(x: Tensor, b: float = 4) -> Tensor:
    # The difference of roots cancels far below zero: written with their product.
    root = torch.sqrt(x**2 + b)
    return torch.where(x > 0, (x + root) / 2, b / 2 / (root - x))


def keras_relu(x: Tensor, slope: float, threshold: float, most: float) -> Tensor:
    return torch.where(x > threshold, x, slope * (x - threshold)).clamp(max=most)


def shrink(x: Tensor, threshold: float, bias: float) -> Tensor:
    return torch.where(x < -threshold, x + bias, torch.where(x > threshold, x - bias, 0 * x))


def hardmax(x: Tensor, axis: int = -1) -> Tensor:
    return torch.zeros_like(x).scatter(axis, x.argmax(axis, keepdim=True), 1)


def sparsemax(x: Tensor, axis: int = -1) -> Tensor:
    """The shift by bisection, as an implicit function of ``x``: not the sorted form."""
    low, high = x.detach().amax(axis, True) - 1, x.detach().amax(axis, True)
    for _ in range(80):
        shift = (low + high) / 2
        more = (x - shift).clamp(min=0).sum(axis, True) > 1
        low, high = torch.where(more, shift, low), torch.where(more, high, shift)
    support = x.detach() > high
    shift = ((x * support).sum(axis, True) - 1) / support.sum(axis, True)
    return (x - shift).clamp(min=0)


def masked_softmax(_: Any, x: Tensor, mask: Tensor) -> Tensor:
    e = torch.where(mask, torch.exp(x), 0)
    return e / e.sum(-1, keepdim=True).clamp(min=1e-300)


def hard_gumbel(x: Tensor) -> Tensor:
    soft = F.softmax(x / 0.5, -1)
    return hardmax(soft).detach() + soft - soft.detach()


def maxout(x: Tensor, pieces: int) -> Tensor:
    return torch.stack([x[..., i::pieces] for i in range(pieces)]).amax(0)


def halves(act: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def gated(x: Tensor) -> Tensor:
        gate, value = x.chunk(2, -1)
        return act(gate) * value

    return gated


def case(call: str, reference: Callable[[Tensor], Tensor], name: str = "", **options: Any) -> Case:
    name = call + (f"_{name}" if name else "")
    return Case(name, f"nn.{call}", lambda _, x: reference(x), (POINTS,), options)


def drawn(
    call: str,
    reference: Callable[..., Tensor],
    *args: Any,
    name: str = "",
    grads: bool = True,
    **options: Any,
) -> Case:
    name = call + (f"_{name}" if name else "")
    return Case(
        name, f"nn.{call}", lambda _, *args: reference(*args), args, options, grads=grads
    )  # fmt: skip


MASK = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
SCORES = (3, 5)
CUBE = (2, 4, 3)

CASES = [
    case("sigmoid", F.sigmoid),
    case("log_sigmoid", F.logsigmoid),
    case("tanh", F.tanh),
    case("tanh_shrink", F.tanhshrink),
    case("soft_sign", F.softsign),
    drawn("exponential", torch.exp, (4, 5)),
    case("softplus", F.softplus),
    case("softplus", lambda x: F.softplus(x, 2.5, 10), "options", beta=2.5, threshold=10),
    case("squareplus", squareplus),
    case("squareplus", lambda x: squareplus(x, 0.3), "b", b=0.3),
    case("sparse_plus", sparse_plus),
    case("mish", F.mish),
    case("gelu", F.gelu),
    case("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")),
    case("silu", F.silu),
    case("swish", F.silu),
    case("swish", lambda x: x * torch.sigmoid(1.7 * x), "beta", beta=1.7),
    drawn("snake", lambda x, a: x + torch.sin(a * x) ** 2 / a, (2, 3, 4), (4,)),
    drawn("snake", lambda x, a: x + torch.sin(a * x) ** 2 / a, (4,), (), name="scalar"),
    Case(
        "snake_layer",
        "nn.Snake",
        lambda p, x: x + torch.sin(p["alpha"] * x) ** 2 / p["alpha"],
        ((3, 4),),
        params={"alpha": (4,)},
    ),
    case("relu", F.relu),
    case("relu6", F.relu6),
    case("leaky_relu", F.leaky_relu),
    case("leaky_relu", lambda x: F.leaky_relu(x, -0.3), "slope", slope=-0.3),
    case(
        "leaky_relu",
        lambda x: keras_relu(x, 0.1, 0.25, 4.5),
        "keras",
        slope=0.1,
        threshold=0.25,
        most=4.5,
    ),
    drawn("prelu", F.prelu, (3, 4), (), name="scalar"),
    drawn("prelu", lambda x, w: torch.where(x > 0, x, w * x), (2, 3, 4), (4,)),
    drawn("prelu", lambda x, w: torch.where(x > 0, x, w * x), (2, 5, 3, 4), (1, 3, 1), name="part"),
    Case(
        "prelu_layer",
        "nn.PReLU",
        lambda p, x: F.prelu(x, p["slope"].reshape(1)),
        (POINTS,),
        params={"slope": ()},
    ),
    Case(
        "prelu_layer_features",
        "nn.PReLU",
        lambda p, x: F.prelu(x.movedim(-1, 1), p["slope"]).movedim(1, -1),
        ((2, 3, 3, 4),),
        {"axes": 1},
        {"slope": (4,)},
    ),
    case("rrelu", lambda x: F.rrelu(x, training=False)),
    case("rrelu", lambda x: F.rrelu(x, 0.1, 0.7), "options", lower=0.1, upper=0.7),
    Case("rrelu_layer", "nn.RReLU", lambda _, x: F.rrelu(x), (POINTS,)),
    case("elu", F.elu),
    case("elu", lambda x: F.elu(x, 0.4), "alpha", alpha=0.4),
    case("celu", F.celu),
    # PyTorch rounds 1 / alpha to float32 in the gradient.
    case("celu", lambda x: F.celu(x, 0.5), "alpha", alpha=0.5),
    case("selu", F.selu),
    case("selu", lambda x: 2 * F.elu(x, 0.5), "onnx", alpha=0.5, scale=2.0),
    case("threshold", lambda x: F.threshold(x, 1, -3), threshold=1, value=-3),
    case("thresholded_relu", lambda x: F.threshold(x, 1, 0)),
    case("thresholded_relu", lambda x: F.threshold(x, -0.5, 0), "option", threshold=-0.5),
    case("shrink", lambda x: shrink(x, 0.5, 0)),
    case("shrink", lambda x: shrink(x, 1.0, 0.3), "onnx", threshold=1.0, bias=0.3),
    case("hard_shrink", F.hardshrink),
    case("hard_shrink", lambda x: F.hardshrink(x, 1), "option", threshold=1.0),
    case("soft_shrink", F.softshrink),
    case("soft_shrink", lambda x: F.softshrink(x, 1), "option", threshold=1.0),
    case("hard_tanh", F.hardtanh),
    case("hard_tanh", lambda x: F.hardtanh(x, -3, 0.5), "options", low=-3.0, high=0.5),
    case("hard_sigmoid", hard_sigmoid),
    case("hard_sigmoid", lambda x: hard_sigmoid(x, 0.2), "onnx", alpha=0.2),
    case("hard_swish", F.hardswish),
    case("sparse_sigmoid", lambda x: hard_sigmoid(x, 0.5)),
    case("glu", F.glu),
    drawn("glu", lambda x: F.glu(x, 1), CUBE, name="axis", axis=1),
    case("swiglu", halves(F.silu)),
    drawn("swiglu", halves(lambda x: x * torch.sigmoid(2 * x)), (3, 6), name="beta", beta=2.0),
    case("geglu", halves(F.gelu)),
    case("reglu", halves(F.relu)),
    drawn("bilinear_glu", halves(lambda x: x), (3, 6)),
    drawn("maxout", lambda x: maxout(x, 3), (3, 6), pieces=3),
    drawn("maxout", lambda x: maxout(x.mT, 2).mT, CUBE, name="axis", pieces=2, axis=-2),
    case("softmax", lambda x: F.softmax(x, -1)),
    drawn("softmax", lambda x: F.softmax(x, 0), CUBE, name="axis", axis=0),
    Case("softmax_mask", "nn.softmax", masked_softmax, (SCORES,), arrays={"mask": MASK}),
    case("log_softmax", lambda x: F.log_softmax(x, -1)),
    drawn("log_softmax", lambda x: F.log_softmax(x, 1), CUBE, name="axis", axis=1),
    case("softmin", lambda x: F.softmin(x, -1)),
    drawn("softmin", lambda x: F.softmin(x, 1), CUBE, name="axis", axis=1),
    drawn("sparsemax", sparsemax, (5, 7)),
    drawn("sparsemax", lambda x: sparsemax(x, 1), CUBE, name="axis", axis=1),
    case("hardmax", lambda x: hardmax(x) + 0 * x),
    drawn("hardmax", lambda x: hardmax(x, 0), CUBE, name="axis", grads=False, axis=0),
    drawn("gumbel_softmax", lambda x: F.softmax(x, -1), SCORES),
    drawn("gumbel_softmax", hard_gumbel, SCORES, name="hard", temperature=0.5, hard=True),
    drawn(
        "straight_through",
        lambda x, y: x.detach() + y - y.detach(),
        (3, 4),
        (3, 4),
    ),
]
