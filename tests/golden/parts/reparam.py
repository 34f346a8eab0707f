"""Kernels computed from others."""

import torch
from case import Case
from torch import Tensor
from torch.nn.utils import parametrizations


def outputs_first(kernel: Tensor) -> Tensor:
    """``[*window, I, O]`` as PyTorch's ``[O, I, *window]``."""
    return kernel.movedim((-1, -2), (0, 1))


def outputs_last(weight: Tensor) -> Tensor:
    return weight.movedim((0, 1), (-1, -2))


def weight_norm(p: dict[str, Tensor], direction: Tensor, magnitude: Tensor) -> Tensor:
    v = outputs_first(direction)
    g = magnitude.reshape(-1, *(1,) * (v.ndim - 1))
    return outputs_last(torch._weight_norm(v, g, 0))


def stacked(p: dict[str, Tensor], direction: Tensor, magnitude: Tensor) -> Tensor:
    each = zip(direction, magnitude, strict=True)
    return torch.stack([weight_norm(p, v, g) for v, g in each])


def spectral_norm(p: dict[str, Tensor], kernel: Tensor, u: Tensor, v: Tensor) -> Tensor:
    # PyTorch's own at inference; u and v are buffers there, so their gradients come from the
    # definition, which is compared with it.
    matrix = kernel.reshape(-1, kernel.shape[-1]).T
    mine = kernel / torch.vdot(u, torch.mv(matrix, v))
    theirs = parametrizations._SpectralNorm(outputs_first(kernel).detach().clone()).eval()
    window = kernel.shape[:-1]
    theirs._u, theirs._v = u.detach(), v.detach().reshape(window).movedim(-1, 0).reshape(-1)
    torch.testing.assert_close(outputs_last(theirs(outputs_first(kernel))), mine)
    return mine


CASES = [
    Case("weight_norm", "nn.weight_norm", weight_norm, ((3, 4), (4,))),
    Case("weight_norm_conv", "nn.weight_norm", weight_norm, ((2, 3, 2, 4), (4,))),
    Case("weight_norm_stack", "nn.weight_norm", stacked, ((2, 3, 4), (2, 4))),
    Case("spectral_norm", "nn.spectral_norm", spectral_norm, ((3, 4), (4,), (3,))),
    Case("spectral_norm_conv", "nn.spectral_norm", spectral_norm, ((2, 3, 2, 4), (4,), (12,))),
    Case(
        "spectral_norm_stack",
        "nn.spectral_norm",
        lambda p, k, u, v: torch.stack(
            [spectral_norm(p, *each) for each in zip(k, u, v, strict=True)]
        ),
        ((2, 3, 4), (2, 4), (2, 3)),
    ),
]
