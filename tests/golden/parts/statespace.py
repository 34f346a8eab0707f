"""State spaces and causal convolution, each as a loop over time."""

import math

import numpy as np
import torch
from case import Case, first, last
from torch import Tensor
from torch.nn import functional as F


def recurrence(x: Tensor, decay: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """``[T, ...]``, the last and all."""
    h, hs = torch.zeros_like(x[0]) if state is None else state, []
    for a, b in zip(decay, x, strict=True):
        h = a * h + b
        hs.append(h)
    return h, torch.stack(hs)


def linear_recurrence(axis: int):
    def reference(p, x, decay, state=None):
        h, hs = recurrence(x.movedim(axis, 0), decay.movedim(axis, 0), state)
        return h, hs.movedim(0, axis)

    return reference


def convolved(x: Tensor, kernel: Tensor, bias: Tensor | None, state: Tensor) -> Tensor:
    seen = torch.cat([state, x], -2)
    flat = seen.reshape(-1, *seen.shape[-2:])
    y = last(F.conv1d(first(flat), kernel.permute(2, 1, 0), bias, groups=x.shape[-1]))
    return y.reshape(x.shape)


def causal_conv(p, x, kernel, bias=None, state=None):
    size = len(kernel) - 1
    if state is None:
        state = x.new_zeros(*x.shape[:-2], size, x.shape[-1])
    after = torch.cat([state, x], -2)[..., x.shape[-2] :, :]
    return after, convolved(x, kernel, bias, state)


def causal_conv_layer(p, x, state=None, lengths=None):
    y = causal_conv(None, x, p["kernel"], p.get("bias"), state)[1]
    return y if lengths is None else ended(y, lengths)


def ended(y: Tensor, lengths: Tensor) -> Tensor:
    return torch.where((torch.arange(y.shape[1]) < lengths[:, None])[..., None], y, 0)


def selective_scan(p, x, dt, A, B, C, D=None, state=None):
    h, ys = x.new_zeros(*x.shape[:-2], *A.shape) if state is None else state, []
    for t in range(x.shape[-2]):
        x_t, dt_t = x[..., t, :, None], dt[..., t, :, None]
        h = torch.exp(dt_t * A) * h + dt_t * B[..., t, None, :] * x_t
        ys.append((h @ C[..., t, :, None]).squeeze(-1))
    y = torch.stack(ys, -2)
    return h, y if D is None else y + D * x


def mamba(p, x, state=None, lengths=None):
    z = x @ p["in_proj"]["kernel"] + p["in_proj"].get("bias", 0)
    x, gate = z.chunk(2, -1)
    conv, rank = p["conv"], len(p["dt_proj"]["kernel"])
    inputs = x.new_zeros(len(x), len(conv["kernel"]) - 1, x.shape[-1]) if not state else state[0]
    x = F.silu(convolved(x, conv["kernel"], conv.get("bias"), inputs))
    modes = p["A_log"].shape[-1]
    dt, B, C = (x @ p["x_proj"]["kernel"]).split([rank, modes, modes], -1)
    dt = F.softplus(dt @ p["dt_proj"]["kernel"] + p["dt_proj"]["bias"])
    hidden = state[1] if state else None
    y = selective_scan(p, x, dt, -p["A_log"].exp(), B, C, p["D"], hidden)[1]
    y = (y * F.silu(gate)) @ p["out_proj"]["kernel"] + p["out_proj"].get("bias", 0)
    return y if lengths is None else ended(y, lengths)


def s5(p, x, lengths=None):
    pole = torch.complex(-p["log_decay"].exp(), p["frequency"])
    factor = torch.exp(pole * p["log_step"].exp())
    B = torch.view_as_complex(p["input"].contiguous())
    C = torch.complex(p["output"][:, 0], p["output"][:, 1])
    u = (x.to(B.dtype) @ B) * ((factor - 1) / pole)
    _, h = recurrence(u.movedim(-2, 0), factor.expand(x.shape[-2], -1))
    y = 2 * (h.movedim(0, -2) @ C).real + p["skip"] * x
    return y if lengths is None else ended(y, lengths)


def rg_lru(power: float = 8.0):
    def reference(p, x, input_gate, recurrence_gate, decay, state=None):
        a = torch.exp(-power * F.softplus(decay) * recurrence_gate.sigmoid())
        b = (1 - a**2).sqrt() * input_gate.sigmoid() * x
        h, hs = recurrence(b.movedim(-2, 0), a.movedim(-2, 0), state)
        return h, hs.movedim(0, -2)

    return reference


def rg_lru_layer(p, x, state=None, lengths=None):
    def gate(q: dict[str, Tensor]) -> Tensor:
        size = len(q["kernel"])
        matrix = torch.block_diag(*q["kernel"].split(size, -1))
        return x @ matrix + q["bias"]

    gates = gate(p["input_gate"]), gate(p["recurrence_gate"])
    y = rg_lru()(p, x, *gates, p["decay"], state)[1]
    return y if lengths is None else ended(y, lengths)


def between(low: float, high: float, *shape: int) -> np.ndarray:
    """Evenly spaced, in an order that looks like none."""
    size = math.prod(shape)
    return (low + (high - low) * ((np.arange(size) * 7) % size) / size).reshape(shape)


def s5_leaves(features: int, modes: int) -> dict:
    return {
        "log_decay": (modes,),
        "frequency": (modes,),
        "log_step": between(-3, 0, modes),
        "input": (features, modes, 2),
        "output": (modes, 2, features),
        "skip": (features,),
    }


def mamba_leaves(
    inputs: int, channels: int, modes: int, rank: int, size: int, bias: bool = False
) -> dict:
    """The shapes of the parameters; ``bias`` of the outer maps, instead of the convolution's."""
    found = {
        "in_proj": {"kernel": (inputs, 2 * channels)},
        "conv": {"kernel": (size, 1, channels)},
        "x_proj": {"kernel": (channels, rank + 2 * modes)},
        "dt_proj": {"kernel": (rank, channels), "bias": (channels,)},
        "A_log": (channels, modes),
        "D": (channels,),
        "out_proj": {"kernel": (channels, inputs)},
    }
    if bias:
        found["in_proj"]["bias"], found["out_proj"]["bias"] = (2 * channels,), (inputs,)
    else:
        found["conv"]["bias"] = (channels,)
    return found


def rg_leaves(features: int, blocks: int = 1) -> dict:
    gate = {"kernel": (features // blocks, features), "bias": (features,)}
    return {"input_gate": gate, "recurrence_gate": gate, "decay": between(-4, -1, features)}


LENGTHS = {"lengths": np.array([3, 5])}
SCANNED = ((2, 5, 3), between(0.01, 1, 2, 5, 3), -between(0.1, 2, 3, 2), (2, 5, 2), (2, 5, 2))

CASES = [
    Case("recurrence", "nn.linear_recurrence", linear_recurrence(-2), ((2, 5, 3), (2, 5, 3))),
    Case(
        "recurrence_state",
        "nn.linear_recurrence",
        linear_recurrence(0),
        ((7, 2), (7, 2), (2,)),
        {"axis": 0},
    ),
    Case("recurrence_one_step", "nn.linear_recurrence", linear_recurrence(-2), ((1, 3), (1, 3))),
    Case("causal_conv", "nn.causal_conv", causal_conv, ((2, 5, 3), (4, 1, 3), (3,))),
    Case(
        "causal_conv_state",
        "nn.causal_conv",
        causal_conv,
        ((2, 2, 5, 3), (3, 1, 3)),
        arrays={"state": (2, 2, 2, 3)},
    ),
    Case(
        "causal_conv_one_step",
        "nn.causal_conv",
        causal_conv,
        ((1, 3), (4, 1, 3), (3,), (3, 3)),
    ),
    Case("causal_conv_one_tap", "nn.causal_conv", causal_conv, ((2, 3, 2), (1, 1, 2))),
    Case(
        "causal_conv_layer",
        "nn.CausalConv",
        causal_conv_layer,
        ((2, 5, 3), (2, 2, 3)),
        {"kernel_size": 3},
        {"kernel": (3, 1, 3), "bias": (3,)},
    ),
    Case(
        "causal_conv_layer_lengths",
        "nn.CausalConv",
        causal_conv_layer,
        ((2, 5, 3),),
        {"kernel_size": 2, "bias": False},
        {"kernel": (2, 1, 3)},
        LENGTHS,
    ),
    Case("scan", "nn.selective_scan", selective_scan, (*SCANNED, (3,))),
    Case("scan_no_skip", "nn.selective_scan", selective_scan, SCANNED),
    Case(
        "scan_state_chunks",
        "nn.selective_scan",
        selective_scan,
        (*SCANNED, (3,), (2, 3, 2)),
        {"chunk": 2},
    ),
    Case(
        "scan_unbatched_one_step",
        "nn.selective_scan",
        selective_scan,
        ((1, 3), between(0.01, 1, 1, 3), -between(0.1, 2, 3, 2), (1, 2), (1, 2), (3,), (3, 2)),
    ),
    Case("mamba", "nn.Mamba", mamba, ((2, 5, 3),), {"state": 2}, mamba_leaves(3, 6, 2, 1, 4)),
    Case(
        "mamba_options",
        "nn.Mamba",
        mamba,
        ((2, 5, 3),),
        {
            "state": 2,
            "expand": 1,
            "kernel_size": 2,
            "rank": 2,
            "bias": True,
            "conv_bias": False,
            "chunk": 3,
        },
        mamba_leaves(3, 3, 2, 2, 2, bias=True),
        {"state": [(2, 1, 3), (2, 3, 2)]} | LENGTHS,
    ),
    Case("s5", "nn.S5", s5, ((2, 5, 3),), {"state": 4}, s5_leaves(3, 2)),
    Case(
        "s5_blocks_lengths",
        "nn.S5",
        s5,
        ((2, 5, 2),),
        {"state": 8, "blocks": 2},
        s5_leaves(2, 4),
        LENGTHS,
    ),
    Case(
        "rg_lru",
        "nn.rg_lru",
        rg_lru(),
        ((2, 5, 3), (2, 5, 3), (2, 5, 3), between(-4, -1, 3)),
    ),
    Case(
        "rg_lru_state",
        "nn.rg_lru",
        rg_lru(2.0),
        ((5, 3), (5, 3), (5, 3), (3,), (3,)),
        {"power": 2.0},
    ),
    Case("rg_lru_layer", "nn.RGLRU", rg_lru_layer, ((2, 5, 4),), {}, rg_leaves(4)),
    Case(
        "rg_lru_layer_blocks",
        "nn.RGLRU",
        rg_lru_layer,
        ((2, 5, 4), (2, 4)),
        {"blocks": 2},
        rg_leaves(4, 2),
        LENGTHS,
    ),
]
