"""The contents of layers.safetensors: PyTorch's layers on the cases of cases.py, in float64."""

import dataclasses
import json
import zlib
from typing import Any

import numpy as np
import torch
from cases import CASES, Case
from torch import Tensor, nn
from torch.nn import functional as F

BATCH_NORMS = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
CONVS = {3: nn.Conv1d, 4: nn.Conv2d, 5: nn.Conv3d}
MAX_POOLS = {3: F.max_pool1d, 4: F.max_pool2d, 5: F.max_pool3d}
AVG_POOLS = {3: F.avg_pool1d, 4: F.avg_pool2d, 5: F.avg_pool3d}
ACTIVATIONS = {
    "celu": F.celu, "elu": F.elu, "gelu": F.gelu, "glu": F.glu,
    # The gradient of F.hardsigmoid has a float32 1/6 in it even at float64.
    "hard_sigmoid": lambda x: F.relu6(x + 3) / 6,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "hard_swish": F.hardswish,
    "hard_tanh": F.hardtanh, "leaky_relu": F.leaky_relu, "log_sigmoid": F.logsigmoid,
    "log_softmax": lambda x: F.log_softmax(x, -1), "mish": F.mish, "relu": F.relu,
    "relu6": F.relu6, "selu": F.selu, "sigmoid": F.sigmoid, "silu": F.silu, "swish": F.silu,
    "soft_sign": F.softsign, "softmax": lambda x: F.softmax(x, -1), "softplus": F.softplus,
    "tanh": F.tanh,
}  # fmt: skip
# Large ones among them, but none at a kink, where PyTorch and JAX choose different subgradients,
# nor just above 20, where PyTorch's softplus rounds to its input.
POINTS = [-1e3, -90, -30, -7, -2.9, -1.1, -0.7, -0.1, -1e-6, 1e-6, 0.1, 0.5,
          0.99, 1.01, 2.9, 3.1, 5.9, 6.1, 15, 30, 90, 500, 1e3, -0.3]  # fmt: skip


def arrays() -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """All arrays by name, and the metadata."""
    made = {f"{case.name}/{name}": x for case in CASES for name, x in run(case).items()}
    config = {case.name: dataclasses.asdict(case) for case in CASES}
    return made, {"cases": json.dumps(config)}


def run(case: Case) -> dict[str, np.ndarray]:
    """Input, parameters, value, cotangent and gradients of one case, all in jaxnet's layout."""
    # By name, so that a new case leaves the others' numbers alone.
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    x = torch.from_numpy(draw_input(case, rng))
    if case.call != "Embed":
        x.requires_grad_()
    module = make_module(case)
    leaves = {} if module is None else draw_leaves(module, rng)
    y, stats = call(case, module, leaves, x)
    cotangent = torch.from_numpy(rng.standard_normal(y.shape))
    y.backward(cotangent)
    tensors = {"x": x, "y": y, "cotangent": cotangent}
    tensors |= {f"params/{name}": leaf for name, leaf in leaves.items()}
    tensors |= {f"new/{name}": leaf for name, leaf in stats.items() if case.train}
    tensors |= {f"grads/{name}": leaf.grad for name, leaf in leaves.items() if leaf.requires_grad}
    if x.grad is not None:
        tensors["grads/x"] = x.grad
    # The format stores memory as it lies.
    return {name: np.ascontiguousarray(tensor.detach()) for name, tensor in tensors.items()}


def draw_input(case: Case, rng: np.random.Generator) -> np.ndarray:
    if case.call == "Embed":
        return rng.integers(0, case.options["vocabulary"] - 1, case.shape)  # one row stays unused
    if case.call in ACTIVATIONS:
        return np.array(POINTS).reshape(case.shape)
    x = rng.standard_normal(case.shape)
    return np.round(x) if case.name.endswith("ties") else x


def make_module(case: Case) -> nn.Module | None:
    options, size = dict(case.options), case.shape[-1]
    affine, bias = options.pop("scale", True), options.pop("bias", True)
    match case.call:
        case "Linear":
            return nn.Linear(size, options["features"], bias)
        case "Embed":
            return nn.Embedding(options["vocabulary"], options["features"])
        case "Conv":
            if not_even(options):
                options = {k: v for k, v in options.items() if not k.startswith("padding")}
            elif options.get("padding") == "SAME":
                options["padding"] = "same"
            return CONVS[len(case.shape)](size, options.pop("features"), **options, bias=bias)
        case "LayerNorm":
            return nn.LayerNorm(size, elementwise_affine=affine, bias=bias, **options)
        case "RMSNorm":
            return nn.RMSNorm(size, elementwise_affine=affine, **options)
        case "BatchNorm":
            return BATCH_NORMS[len(case.shape)](size, affine=affine, **options).train(case.train)
    return None


def draw_leaves(module: nn.Module, rng: np.random.Generator) -> dict[str, Tensor]:
    """Random leaves under jaxnet's names and in its layout."""
    leaves = {}
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if name == "num_batches_tracked":
            continue
        weight = tensor.ndim > 1
        ours = {"weight": "kernel" if weight else "scale", "running_mean": "stats/mean",
                "running_var": "stats/var"}.get(name, name)  # fmt: skip
        shape = from_torch(module, tensor.detach()).shape
        x = rng.uniform(0.5, 2, shape) if name == "running_var" else rng.standard_normal(shape)
        leaves[ours] = torch.from_numpy(x).requires_grad_("stats" not in ours)
    return leaves


def from_torch(module: nn.Module, weight: Tensor) -> Tensor:
    """Kernels end in [in, out]: Linear's come as [out, in], a convolution's as [out, in, …]."""
    if weight.ndim < 2 or isinstance(module, nn.Embedding):
        return weight
    return weight.movedim((0, 1), (-1, -2))


def to_torch(module: nn.Module, leaf: Tensor) -> Tensor:
    if leaf.ndim < 2 or isinstance(module, nn.Embedding):
        return leaf
    return leaf.movedim((-1, -2), (0, 1))


def call(
    case: Case, module: nn.Module | None, leaves: dict[str, Tensor], x: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """The value, and running statistics after the call; autograd sees every transposition."""
    if case.call in ACTIVATIONS:
        return ACTIVATIONS[case.call](x), {}
    if module is None:
        pools = MAX_POOLS if case.call == "max_pool" else AVG_POOLS
        options = dict(case.options)
        return pools[x.ndim](x.movedim(-1, 1), options.pop("window"), **options).movedim(1, -1), {}
    stats = {name: leaf.clone() for name, leaf in leaves.items() if "stats" in name}
    names = {"kernel": "weight", "scale": "weight", "stats/mean": "running_mean",
             "stats/var": "running_var"}  # fmt: skip
    state = {names.get(k, k): to_torch(module, v) for k, v in (leaves | stats).items()}
    if case.call not in ("Conv", "BatchNorm"):
        return torch.func.functional_call(module, state, x), stats
    x = x.movedim(-1, 1)  # features are the last axis here and the second in PyTorch
    if case.call == "Conv" and not_even(case.options):
        mode = case.options.get("padding_mode", "zeros").replace("zeros", "constant")
        # PyTorch pads from the last axis to the first.
        pads = [n for pair in reversed(case.options["padding"]) for n in pair]
        x = F.pad(x, pads, mode)
    return torch.func.functional_call(module, state, x).movedim(1, -1), stats


def not_even(options: dict[str, Any]) -> bool:
    """Whether padding is given for each side, which PyTorch does before the convolution."""
    padding = options.get("padding")
    return isinstance(padding, tuple) and isinstance(padding[0], tuple)
