"""Embeddings and bags of them."""

from typing import Any

import numpy as np
import torch
from case import Case
from torch import Tensor
from torch.nn import functional as F

IDS = np.array([[3, 1, 3, 0], [5, 5, 1, 3], [2, 0, 0, 5]])  # 4 and 6 stay unused
BAGS = np.array([[3, 1, 3, 0], [5, 2, 2, 2], [2, 2, 2, 2]])
MASK = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1]], bool)
TABLE = (7, 3)


def embed(_: Any, ids: Tensor, kernel: Tensor, **options: Any) -> Tensor:
    if "max_norm" in options:
        # It shortens the rows in place, which needs a table that is no leaf.
        kernel = kernel.clone()
    return F.embedding(ids, kernel, **options)


def bag(ids: Tensor, kernel: Tensor, mask: Tensor | None = None, **options: Any) -> Tensor:
    """By offsets, which have room for bags of unequal size."""
    mask = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
    if "max_norm" in options:
        kernel = kernel.clone()
    sizes = mask.sum(-1)
    return F.embedding_bag(ids[mask], kernel, sizes.cumsum(0) - sizes, **options)


def case(name: str, torch_options: dict[str, Any], **options: Any) -> Case:
    def run(_: Any, ids: Tensor, kernel: Tensor) -> Tensor:
        return embed(_, ids, kernel, **torch_options)

    return Case(f"embed_{name}", "nn.embed", run, (IDS, TABLE), options)


def bags(name: str, torch_options: dict[str, Any], *, masked: bool = False, **options: Any) -> Case:
    def run(_: Any, ids: Tensor, kernel: Tensor, mask: Tensor | None = None) -> Tensor:
        return bag(ids, kernel, mask, **torch_options)

    arrays = {"mask": MASK} if masked else {}
    return Case(f"bag_{name}", "nn.embedding_bag", run, (BAGS, TABLE), options, arrays=arrays)


def weighted(_: Any, ids: Tensor, kernel: Tensor, weights: Tensor) -> Tensor:
    return F.embedding_bag(ids, kernel, mode="sum", per_sample_weights=weights, padding_idx=3)


def frequent_bag(_: Any, ids: Tensor, kernel: Tensor) -> Tensor:
    # F.embedding_bag of 2.13 divides by the counts of other rows; F.embedding by the right ones.
    rows = F.embedding(ids, kernel, padding_idx=3, scale_grad_by_freq=True)
    return (rows * (ids != 3)[..., None]).sum(-2)


def bag_layer(p: dict[str, Tensor], ids: Tensor, weights: Tensor, mask: Tensor) -> Tensor:
    return (p["kernel"][ids] * (weights * mask)[..., None]).sum(-2)


CASES = [
    case("plain", {}),
    case("padding", {"padding_idx": 3}, padding=3),
    case("padding_last", {"padding_idx": -2}, padding=-2),
    case("max_norm", {"max_norm": 1.2}, max_norm=1.2),
    case("max_norm_1", {"max_norm": 1.2, "norm_type": 1.0}, max_norm=1.2, norm=1.0),
    case("max_norm_3", {"max_norm": 1.2, "norm_type": 3.0}, max_norm=1.2, norm=3.0),
    case("frequency", {"scale_grad_by_freq": True}, scale_by_frequency=True),
    case(
        "all",
        {"scale_grad_by_freq": True, "padding_idx": 5, "max_norm": 0.8},
        scale_by_frequency=True,
        padding=5,
        max_norm=0.8,
    ),
    Case(
        "embed_layer",
        "nn.Embed",
        lambda p, ids: F.embedding(ids, p["kernel"], padding_idx=1),
        (IDS,),
        {"vocabulary": 7, "features": 3, "padding": 1},
        {"kernel": TABLE},
    ),
    bags("mean", {}),
    bags("mean_mask", {}, masked=True),
    bags("mean_padding", {"padding_idx": 2}, padding=2),
    bags("sum", {"mode": "sum"}, mode="sum"),
    bags("sum_mask_padding", {"mode": "sum", "padding_idx": 2}, masked=True, mode="sum", padding=2),
    bags("max", {"mode": "max"}, mode="max"),
    bags("max_mask", {"mode": "max"}, masked=True, mode="max"),
    bags("max_padding", {"mode": "max", "padding_idx": 2}, mode="max", padding=-5),
    bags("max_norm", {"max_norm": 1.2}, max_norm=1.2),
    Case(
        "bag_frequency",
        "nn.embedding_bag",
        frequent_bag,
        (BAGS, TABLE),
        {"scale_by_frequency": True, "mode": "sum", "padding": 3},
    ),
    Case(
        "bag_weights",
        "nn.embedding_bag",
        weighted,
        (BAGS, TABLE),
        {"mode": "sum", "padding": 3},
        arrays={"weights": (3, 4)},
    ),
    Case(
        "bag_layer",
        "nn.EmbeddingBag",
        bag_layer,
        (BAGS,),
        {"vocabulary": 7, "features": 3, "mode": "sum"},
        {"kernel": TABLE},
        {"weights": (3, 4), "mask": MASK},
    ),
]
