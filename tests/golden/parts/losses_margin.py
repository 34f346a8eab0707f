"""Hinges, and losses that order."""

from typing import Any

import numpy as np
import torch
from case import Case
from torch import Tensor
from torch.nn import functional as F

from parts.losses_classification import rows
from parts.losses_regression import entry, given, plain, reduced

RNG = np.random.default_rng(0)
SCORES, IDS = RNG.standard_normal((4, 5)) * 2, np.array([0, 3, 4, 3])
SIGNS = np.where(RNG.uniform(size=(4, 5)) < 0.5, 1, -1)
TRUE = (SIGNS + 1) // 2
TRUE[0] = 0  # no class at all
WEIGHTS = [0.5, 2.0, 1.25, 1.0, 0.25]
WEIGHT = torch.tensor(WEIGHTS, dtype=torch.float64)
A, B, C = RNG.standard_normal((3, 4, 5))
C[0] = A[0] + 10  # far enough
TIED = B.copy()
TIED[1] = A[1]  # a kink at a margin of 0


def floats(fn: Any, **options: Any) -> Any:
    """With targets in PyTorch's dtype."""
    return lambda *args, **more: fn(*args[:-1], args[-1].double(), **options, **more)


def numbers(fn: Any) -> Any:
    """With the numbers of the true classes, and then -1s."""

    def call(s: Tensor, y: Tensor, **more: Any) -> Tensor:
        lists = [[*torch.nonzero(row)[:, 0].tolist(), *[-1] * len(row)][: len(row)] for row in y]
        return fn(s, torch.tensor(lists), **more)

    return call


def hinge(s: Tensor, y: Tensor) -> Tensor:
    return (1 - y * s).clamp_min(0)


def categorical(s: Tensor, y: Tensor) -> Tensor:
    y = rows(y, 5)
    return (1 + ((1 - y) * s).amax(-1) - (y * s).sum(-1)).clamp_min(0)


def weighed(_: Any, a: Tensor, p: Tensor, n: Tensor, weights: Tensor, mask: Tensor) -> Tensor:
    return reduced(F.triplet_margin_loss(a, p, n, reduction="none"), weights, mask)


CASES = [
    entry("hinge", plain(hinge), SCORES, SIGNS),
    entry("squared_hinge", plain(lambda s, y: hinge(s, y) ** 2), SCORES, SIGNS, reduction="sum"),
    entry("soft_margin", floats(F.soft_margin_loss), SCORES, SIGNS),
    entry("hinge_embedding", floats(F.hinge_embedding_loss), SCORES, SIGNS),
    entry("hinge_embedding", floats(F.hinge_embedding_loss, margin=0.3), np.abs(SCORES), SIGNS,
          name="hinge_embedding_margin", margin=0.3, reduction="none"),
    entry("categorical_hinge", plain(categorical), SCORES, IDS),
    entry("categorical_hinge", plain(lambda s, y: categorical(s, y.double())), SCORES,
          np.eye(5, dtype=np.int32)[IDS], name="categorical_hinge_rows", reduction="none"),
    entry("multi_margin", F.multi_margin_loss, SCORES, IDS),
    entry("multi_margin", given(F.multi_margin_loss, p=2, margin=0.6, weight=WEIGHT), SCORES, IDS,
          name="multi_margin_options", p=2, margin=0.6, class_weights=WEIGHTS),
    entry("multi_margin", given(F.multi_margin_loss, weight=WEIGHT), SCORES, IDS,
          name="multi_margin_none", class_weights=WEIGHTS, reduction="none"),
    entry("multilabel_margin", numbers(F.multilabel_margin_loss), SCORES, TRUE),
    entry("multilabel_margin", numbers(F.multilabel_margin_loss), SCORES, TRUE,
          name="multilabel_margin_none", reduction="none"),
    entry("multilabel_soft_margin", F.multilabel_soft_margin_loss, SCORES, TRUE),
    entry("multilabel_soft_margin", given(F.multilabel_soft_margin_loss, weight=WEIGHT), SCORES,
          TRUE, name="multilabel_soft_margin_none", class_weights=WEIGHTS, reduction="none"),
    entry("margin_ranking", F.margin_ranking_loss, A, TIED, SIGNS),
    entry("margin_ranking", given(F.margin_ranking_loss, margin=0.4), A, B, SIGNS,
          name="margin_ranking_margin", margin=0.4, reduction="sum"),
    entry("cosine_embedding", F.cosine_embedding_loss, A, B, SIGNS[:, 0]),
    entry("cosine_embedding", given(F.cosine_embedding_loss, margin=-0.2), A, B, SIGNS[:, 1],
          name="cosine_embedding_margin", margin=-0.2, reduction="none"),
    entry("cosine_embedding", F.cosine_embedding_loss, np.zeros((2, 3)), A[:2, :3],
          np.array([1, -1]), name="cosine_embedding_zero"),
    entry("triplet_margin", F.triplet_margin_loss, A, B, C),
    entry("triplet_margin", given(F.triplet_margin_loss, margin=2.5, p=1, swap=True), A, B, C,
          name="triplet_swap", margin=2.5, p=1, swap=True, reduction="none"),
    entry("triplet_margin", given(F.triplet_margin_loss, p=3, eps=1e-2), A, B, C,
          name="triplet_cubic", p=3, eps=1e-2, reduction="sum"),
    Case("triplet_weights", "losses.triplet_margin", weighed, (A, B, C),
         arrays={"weights": RNG.uniform(size=4), "mask": np.array([True, True, False, True])}),
]  # fmt: skip
