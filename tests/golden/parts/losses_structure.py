"""Losses of sequences, regions, batches of pairs, and models."""

from typing import Any

import numpy as np
import torch
from case import Case
from torch import Tensor
from torch.nn import functional as F

from parts.losses_regression import entry, given, plain

RNG = np.random.default_rng(0)
FRAMES, LABELS = RNG.standard_normal((3, 7, 5)), np.array([[1, 2, 2], [4, 3, 1], [3, 3, 3]])
TIMES, SIZES = np.array([7, 4, 6]), np.array([3, 2, 0])
FULL = np.array([7, 7, 7]), np.array([3, 3, 3])
P, Y = RNG.uniform(size=(2, 2, 3, 4, 2))
A, B = RNG.standard_normal((2, 4, 3))
IDS = np.array([0, 1, 0, 2])
REAL, MADE = RNG.standard_normal((2, 5))
FEW = np.array([True, True, False, True])
X, KERNEL, BIAS = (
    RNG.standard_normal((2, 3, 4)),
    RNG.standard_normal((4, 6)),
    RNG.standard_normal(6),
)
NUMBERS = RNG.integers(0, 6, (2, 3))
WEIGHTS = [0.5, 2.0, 1.25, 1.0, 0.25, 3.0]


def ctc(name: str, *args: Any, torch_options: Any = None, **options: Any) -> Case:
    def reference(_: Any, z: Tensor, y: Tensor, *lengths: Tensor) -> Tensor:
        lengths = lengths or tuple(map(torch.tensor, FULL))
        log_p = torch.log_softmax(z, -1).movedim(-2, 0)
        y = y if y.ndim > 1 else y[: lengths[1]]  # PyTorch takes one alone without padding
        return F.ctc_loss(log_p, y, *lengths, **(torch_options or {}))

    return Case(name, "losses.ctc", reference, args, options)


def overlap(
    p: Tensor, y: Tensor, axis: Any = (0, 1, 2, 3), a: float = 0.5, b: float = 0.5
) -> Tensor:
    """As written in Keras, whose alpha weighs (1 - p) y."""
    hits = (p * y).sum(axis)
    return 1 - hits / (hits + a * ((1 - p) * y).sum(axis) + b * (p * (1 - y)).sum(axis) + 1e-7)


def dice(p: Tensor, y: Tensor, axis: Any = (0, 1, 2, 3)) -> Tensor:
    return 1 - 2 * (p * y).sum(axis) / (p.sum(axis) + y.sum(axis) + 1e-7)


def directions(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return F.normalize(x, dim=-1), F.normalize(y, dim=-1)


def info_nce(x: Tensor, y: Tensor, temperature: float = 0.1, symmetric: bool = False) -> Tensor:
    x, y = directions(x, y)
    logits, own = x @ y.T / temperature, torch.arange(len(x))
    each = F.cross_entropy(logits, own, reduction="none")
    return (each + F.cross_entropy(logits.T, own, reduction="none")) / 2 if symmetric else each


def few(_: Any, x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    return info_nce(x[mask], y[mask]).mean()


def nt_xent(x: Tensor, y: Tensor, temperature: float = 0.5) -> Tensor:
    views, n = F.normalize(torch.cat([x, y]), dim=-1), len(x)
    logits = (views @ views.T / temperature).masked_fill(
        torch.eye(2 * n, dtype=torch.bool), -torch.inf
    )
    each = F.cross_entropy(logits, torch.arange(2 * n).roll(n), reduction="none")
    return (each[:n] + each[n:]) / 2


def siglip(x: Tensor, y: Tensor, scale: Any = 10.0, bias: Any = -10.0) -> Tensor:
    x, y = directions(x, y)
    return -F.logsigmoid((2 * torch.eye(len(x)) - 1) * (scale * x @ y.T + bias)).sum(-1)


def circle(x: Tensor, y: Tensor, gamma: float = 80.0, margin: float = 0.4) -> Tensor:
    """As written in Keras."""
    far = (1 - x @ x.T).clamp_min(0)
    same = y[:, None] == y
    alike = same & ~torch.eye(len(y), dtype=torch.bool)
    pulls = -gamma * (margin + far) * (margin - far)
    pushes = gamma * (1 + margin - far).clamp_min(0) * (1 - margin - far)
    sums = [
        torch.logsumexp(pulls.masked_fill(~alike, -1e5), 1),
        torch.logsumexp(pushes.masked_fill(same, -1e5), 1),
    ]
    return F.softplus(sums[0] + sums[1], threshold=1e9)


def circle_mean(x: Tensor, y: Tensor, reduction: str) -> Tensor:
    each = circle(x, y)
    return each[each > 0].mean()


def normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    code = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    return torch.distributions.kl_divergence(code, torch.distributions.Normal(0.0, 1.0)).sum(-1)


def taught(s: Tensor, t: Tensor, reduction: str, temperature: float = 2.0) -> Tensor:
    log_s, p = torch.log_softmax(s / temperature, -1), torch.softmax(t / temperature, -1)
    return temperature**2 * F.kl_div(
        log_s, p, reduction="batchmean" if reduction == "mean" else reduction
    )


GENERATOR = {
    "logistic": lambda s: F.softplus(-s),
    "least_squares": lambda s: 0.5 * (s - 1) ** 2,
    "hinge": lambda s: -s,
    "wasserstein": lambda s: -s,
}
DISCRIMINATOR = {
    "logistic": lambda r, s: F.softplus(-r).mean() + F.softplus(s).mean(),
    "least_squares": lambda r, s: 0.5 * ((r - 1) ** 2).mean() + 0.5 * (s**2).mean(),
    "hinge": lambda r, s: torch.relu(1 - r).mean() + torch.relu(1 + s).mean(),
    "wasserstein": lambda r, s: s.mean() - r.mean(),
}


def chunked(
    name: str, labels: Any, bias: Any = None, torch_options: Any = None, **options: Any
) -> Case:
    def reference(_: Any, x: Tensor, kernel: Tensor, y: Tensor, *bias: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        more = dict(torch_options or {})
        if bias:
            more["linear_bias"] = bias[0]
        return F.linear_cross_entropy(rows, kernel.T, y.reshape(-1), **more).reshape(
            y.shape if more.get("reduction") == "none" else ()
        )

    args = (X, KERNEL, labels) if bias is None else (X, KERNEL, labels, bias)
    return Case(name, "losses.chunked_cross_entropy", reference, args, options)


SOME = np.array([[1, -1, 0], [5, 2, -1]])
CASES = [
    ctc("ctc", FRAMES, LABELS, TIMES, SIZES),
    ctc("ctc_full", FRAMES[:2], LABELS[:2], np.array([7, 7]), np.array([3, 3])),
    ctc("ctc_sum", FRAMES, LABELS, TIMES, SIZES, torch_options={"reduction": "sum"},
        per_label=False, reduction="sum"),
    ctc("ctc_none", FRAMES, LABELS, TIMES, SIZES, torch_options={"reduction": "none"},
        per_label=False, reduction="none"),
    # The last needs blanks between its labels, and so more time than there is.
    ctc("ctc_impossible", FRAMES, LABELS, np.array([7, 4, 4]), np.array([3, 3, 3]),
        torch_options={"zero_infinity": True}, zero_infinity=True),
    ctc("ctc_blank", FRAMES, np.array([[1, 0, 0], [3, 3, 1], [0, 1, 0]]), *FULL,
        torch_options={"blank": 4}, blank=4),
    ctc("ctc_one", FRAMES[0], LABELS[0], np.array(6), np.array(2)),
    entry("dice", plain(dice), P, Y),
    entry("dice", plain(given(dice, axis=(1, 2, 3))), P, Y, name="dice_images", axis=[-3, -2, -1]),
    entry("dice", plain(given(dice, axis=(0, 1, 2))), P, (Y > 0.5).astype(int), name="dice_classes",
          axis=[0, 1, 2], reduction="none"),
    entry("tversky", plain(overlap), P, Y),
    entry("tversky", plain(given(overlap, axis=(1, 2, 3), a=0.3, b=0.7)), P, Y,
          name="tversky_weights", axis=[1, 2, 3], false_negatives=0.3,
          false_positives=0.7, reduction="none"),
    entry("info_nce", plain(info_nce), A, B),
    entry("info_nce", plain(given(info_nce, temperature=0.7, symmetric=True)), A, B,
          name="info_nce_symmetric", temperature=0.7, symmetric=True, reduction="none"),
    Case("info_nce_mask", "losses.info_nce", few, (A, B), arrays={"mask": FEW}),
    entry("nt_xent", plain(nt_xent), A, B),
    entry("nt_xent", plain(given(nt_xent, temperature=0.1)), A, B, name="nt_xent_temperature",
          temperature=0.1, reduction="none"),
    entry("siglip", plain(siglip), A, B),
    entry("siglip", plain(siglip), A, B, np.array(3.0), np.array(-1.0), name="siglip_learnt",
          reduction="none"),
    entry("circle", circle_mean, A / np.linalg.norm(A, axis=-1, keepdims=True), IDS),
    entry("circle", plain(given(circle, gamma=5.0, margin=0.25)), B / 3, IDS, name="circle_options",
          gamma=5.0, margin=0.25, reduction="none"),
    *(entry("gan_generator", plain(fn), MADE, name=f"generator_{kind}", kind=kind)
      for kind, fn in GENERATOR.items()),
    *(Case(f"discriminator_{kind}", "losses.gan_discriminator", lambda _, r, s, fn=fn: fn(r, s),
           (REAL, MADE[:3]), {"kind": kind})
      for kind, fn in DISCRIMINATOR.items()),
    entry("normal_kl", plain(normal), A, B),
    entry("normal_kl", plain(normal), A[0], B[0], name="normal_kl_sum", reduction="sum"),
    entry("distillation", taught, A, B),
    entry("distillation", given(taught, temperature=0.5), A, B, name="distillation_sum",
          temperature=0.5, reduction="sum"),
    chunked("chunked", NUMBERS),
    chunked("chunked_bias", NUMBERS, BIAS, chunk=4),
    chunked("chunked_options", SOME, BIAS,
            {"label_smoothing": 0.1, "ignore_index": -1,
             "weight": torch.tensor(WEIGHTS, dtype=torch.float64)},
            chunk=2, smoothing=0.1, ignore=-1, class_weights=WEIGHTS),
    chunked("chunked_none", NUMBERS, None, {"reduction": "none"}, chunk=5, reduction="none"),
    chunked("chunked_sum", NUMBERS, None, {"reduction": "sum"}, chunk=1, reduction="sum"),
]  # fmt: skip
