"""Mixtures of experts, by a loop over tokens and their choices."""

import math
from typing import Any

import numpy as np
import torch
from case import Case
from torch import Tensor
from torch.nn import functional as F

type Params = dict[str, Tensor]


def scores_of(logits: Tensor, gates: str) -> Tensor:
    return torch.softmax(logits, -1) if gates == "softmax" else torch.sigmoid(logits)


def pairs(
    scores: Tensor, k: int, capacity: int, bias: Tensor | None, mask: Tensor | None
) -> tuple[list[tuple[int, int, int, bool]], list[list[int]]]:
    """``(token, expert, place, fits)`` for all choices of one group ``[T, E]``, and the choices."""
    ranked = scores.detach() if bias is None else scores.detach() + bias.detach()
    tokens, experts = scores.shape
    chosen = [torch.topk(ranked[t], k).indices.tolist() for t in range(tokens)]
    if mask is not None:
        chosen = [c if m else [experts] * k for c, m in zip(chosen, mask.tolist(), strict=True)]
    used, found = [0] * experts, []
    for turn in range(k):
        for t in range(tokens):
            e = chosen[t][turn]
            if e < experts:
                found.append((t, e, used[e], used[e] < capacity))
                used[e] += 1
    return found, chosen


def gate(scores: Tensor, t: int, e: int, chosen: list[list[int]], normalize: bool) -> Tensor:
    total = sum(scores[t, other] for other in chosen[t]) if normalize else 1.0
    return scores[t, e] / total


def routed(k: int, capacity: int, gates: str = "softmax", normalize: bool | None = None):
    normalize = k > 1 if normalize is None else normalize

    def run(
        p: Params, logits: Tensor, bias: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        groups = logits.reshape(-1, *logits.shape[-2:])
        masks = [None] * len(groups) if mask is None else mask.reshape(len(groups), -1)
        scores = scores_of(groups, gates)
        dispatch = torch.zeros(*groups.shape, capacity, dtype=torch.bool)
        combine = torch.zeros(*groups.shape, capacity).double()
        choices = []
        for g, s in enumerate(scores):
            found, chosen = pairs(s, k, capacity, bias, masks[g])
            choices.append(chosen)
            for t, e, c, fits in found:
                if fits:
                    dispatch[g, t, e, c] = True
                    combine[g, t, e, c] = gate(s, t, e, chosen, normalize)
        lead = logits.shape[:-1]
        probs = scores / scores.sum(-1, keepdim=True)
        return (
            dispatch.reshape(*logits.shape, capacity),
            combine.reshape(*logits.shape, capacity),
            torch.tensor(choices, dtype=torch.int32).reshape(*lead, k),
            probs.reshape(logits.shape),
        )

    return run


def mlp(p: Params, x: Tensor, at: str, e: int | None = None) -> Tensor:
    own = {n.removeprefix(at): v if e is None else v[e] for n, v in p.items() if n.startswith(at)}
    h = F.gelu(F.linear(x, own["0/kernel"].T, own["0/bias"]))
    return F.linear(h, own["1/kernel"].T, own["1/bias"])


def mixture(
    k: int,
    factor: float | None,
    *,
    group: int | None = None,
    gates: str = "softmax",
    normalize: bool | None = None,
):
    normalize = k > 1 if normalize is None else normalize

    def run(p: Params, x: Tensor, mask: Tensor | None = None) -> Tensor:
        size = group or x.shape[-2]
        groups = x.reshape(-1, size, x.shape[-1])
        masks = [None] * len(groups) if mask is None else mask.reshape(-1, size)
        experts = p["router/kernel"].shape[-1]
        capacity = size if factor is None else math.ceil(factor * k * size / experts)
        rows = []
        for tokens, here in zip(groups, masks, strict=True):
            s = scores_of(tokens @ p["router/kernel"], gates)
            found, chosen = pairs(s, k, capacity, p.get("stats/bias"), here)
            y = [torch.zeros(x.shape[-1]).double() for _ in tokens]
            for t, e, _, fits in found:
                if fits:
                    y[t] = y[t] + gate(s, t, e, chosen, normalize) * mlp(
                        p, tokens[t], "experts/", e
                    )
            rows.append(torch.stack(y))
        return torch.stack(rows).reshape(x.shape)

    return run


def new_bias(k: int, rate: float):
    """The rule of arXiv:2408.15664: up by ``rate`` for less than the mean load, else down."""

    def run(p: Params, x: Tensor) -> dict[str, Tensor]:
        old = p["stats/bias"]
        s = torch.sigmoid(x.reshape(-1, x.shape[-1]) @ p["router/kernel"])
        counts = torch.zeros_like(old)
        for chosen in torch.topk(s + old, k).indices.tolist():
            counts[chosen] += 1
        return {"stats/bias": old + rate * torch.sign(counts.mean() - counts)}

    return run


def balancing(p: Params, probs: Tensor, chosen: Tensor) -> Tensor:
    experts = probs.shape[-1]
    rows, picks = probs.reshape(-1, experts), chosen.reshape(-1, chosen.shape[-1]).tolist()
    live = [t for t, c in enumerate(picks) if min(c) < experts]
    total = sum(len(picks[t]) for t in live)
    loss = torch.zeros(()).double()
    for e in range(experts):
        share = sum(picks[t].count(e) for t in live) / total
        loss = loss + experts * share * sum(rows[t, e] for t in live) / len(live)
    return loss


def z_loss(p: Params, logits: Tensor, mask: Tensor | None = None) -> Tensor:
    squares = torch.logsumexp(logits, -1) ** 2
    return squares.mean() if mask is None else squares[mask].mean()


def grouped(p: Params, x: Tensor, kernel: Tensor, sizes: Tensor) -> Tensor:
    rows, start = [], 0
    for n, matrix in zip(sizes.tolist(), kernel, strict=True):
        rows.append(x[start : start + n] @ matrix)
        start += n
    return torch.cat([*rows, torch.zeros(len(x) - start, kernel.shape[-1]).double()])


def route(name: str, shape: tuple[int, ...], arrays: Any = None, **options: Any) -> Case:
    return Case(name, "nn.route", routed(**options), (shape,), options, arrays=arrays or {})


def moe(name: str, shape: tuple[int, ...], experts: int, arrays: Any = None, **options: Any):
    d, width = shape[-1], 3
    params: dict[str, Any] = {
        "router/kernel": (d, experts),
        "experts/0/kernel": (experts, d, width),
        "experts/0/bias": (experts, width),
        "experts/1/kernel": (experts, width, d),
        "experts/1/bias": (experts, d),
    }
    rate = options.get("balance")
    if rate is not None:
        params["stats/bias"] = (experts,)
    own = {n: options[n] for n in ("group", "gates", "normalize") if n in options}
    return Case(
        name,
        "nn.MoE",
        mixture(options["k"], options["capacity_factor"], **own),
        (shape,),
        {"expert": width, "experts": experts} | options,
        params,
        arrays or {},
        train=rate is not None,
        new=None if rate is None else new_bias(options["k"], rate),
    )


MASK = np.array([[True, True, False, True, True, False], [True, False, True, True, True, True]])

CASES = [
    route("route", (2, 6, 3), k=2, capacity=3),
    route("route_switch", (7, 4), k=1, capacity=2),
    route("route_sigmoid", (2, 5, 4), {"bias": (4,)}, k=3, capacity=4, gates="sigmoid"),
    route("route_raw", (2, 6, 3), {"mask": MASK}, k=2, capacity=2, normalize=False),
    route("route_all", (5, 2), k=2, capacity=9, gates="sigmoid", normalize=False),
    Case(
        "balancing",
        "nn.load_balancing_loss",
        balancing,
        (np.random.default_rng(0).dirichlet([1.0] * 3, (2, 4)), np.array(
            [[[0, 1], [0, 2], [1, 0], [0, 1]], [[2, 0], [0, 1], [3, 3], [1, 2]]]
        )),
    ),
    Case("z_loss", "nn.router_z_loss", z_loss, ((2, 6, 3),)),
    Case("z_loss_mask", "nn.router_z_loss", z_loss, ((2, 6, 3),), arrays={"mask": MASK}),
    moe("moe", (2, 6, 4), 3, k=2, capacity_factor=1.0),
    moe("moe_switch", (7, 4), 3, k=1, capacity_factor=1.25),
    moe("moe_groups", (2, 6, 2), 3, {"mask": MASK}, k=2, capacity_factor=1.0, group=3),
    moe("moe_balance", (2, 5, 2), 4, k=2, capacity_factor=None, gates="sigmoid", balance=0.01),
    Case(
        "grouped",
        "nn.grouped_linear",
        grouped,
        ((7, 3), (4, 3, 2), np.array([2, 0, 3, 2])),
    ),
    Case("grouped_rest", "nn.grouped_linear", grouped, ((5, 3), (2, 3, 2), np.array([1, 2]))),
]  # fmt: skip
