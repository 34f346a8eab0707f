"""Distances, and likeness of directions."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from case import Case
from torch import Tensor
from torch.nn import functional as F

X, Y = (4, 3), (5, 3)
# With pairs at distance 0, where the gradient is 0, and entries that are equal.
RNG = np.random.default_rng(0)
POINTS = RNG.standard_normal((5, 3))
OTHERS = np.concatenate([POINTS[1:3], POINTS[3:] + np.array([0, 0.5, -1])])
ZERO_ROW = np.concatenate([np.zeros((1, 3)), POINTS[1:]])


def case(
    name: str, call: str, reference: Callable[..., Tensor], *args: Any, **options: Any
) -> Case:
    return Case(name, f"nn.{call}", lambda _, *args: reference(*args), args, options)


def distances(p: float) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, y: torch.cdist(x, y, p, "donot_use_mm_for_euclid_dist")


def self_distances(p: float) -> Callable[[Tensor], Tensor]:
    return lambda x: F.pdist(x, p)


CASES = [
    case("cosine", "cosine_similarity", lambda x, y: F.cosine_similarity(x, y, -1), X, X),
    case(
        "cosine_axis",
        "cosine_similarity",
        lambda x, y: F.cosine_similarity(x, y, 1, 0.9),
        (2, 3, 4),
        (2, 3, 4),
        axis=1,
        eps=0.9,
    ),
    case(
        "cosine_zero",
        "cosine_similarity",
        lambda x, y: F.cosine_similarity(x, y, -1),
        ZERO_ROW,
        POINTS,
    ),
    case(
        "cosine_all_pairs",
        "cosine_similarity",
        lambda x, y: F.cosine_similarity(x, y, -1),
        (4, 1, 3),
        (1, 5, 3),
    ),
    case("pairwise", "pairwise_distance", F.pairwise_distance, X, X),
    case("pairwise_equal", "pairwise_distance", F.pairwise_distance, POINTS, POINTS),
    *(
        case(
            f"pairwise_{p}",
            "pairwise_distance",
            lambda x, y, p=p: F.pairwise_distance(x, y, p, 1e-3, True),
            (2, 4, 3),
            (1, 4, 3),
            p=p,
            eps=1e-3,
            keepdims=True,
        )
        for p in (1.0, 1.5, 3.0, math.inf)
    ),
    *(
        case(f"cdist_{p}", "cdist", distances(p), POINTS, OTHERS, p=p)
        for p in (0.0, 1.0, 1.5, 2.0, 3.0, math.inf)
    ),
    case("cdist_batch", "cdist", distances(2.0), (2, 4, 3), (2, 5, 3)),
    *(
        case(f"pdist_{p}", "pdist", self_distances(p), np.concatenate([POINTS, POINTS[:1]]), p=p)
        for p in (0.0, 1.0, 1.5, 2.0, 3.0, math.inf)
    ),
    *(
        case(
            f"norm_{p}",
            "vector_norm",
            lambda x, p=p: torch.linalg.vector_norm(x, p, -1),
            ZERO_ROW,
            p=p,
        )
        for p in (1.0, 2.0, 2.5, math.inf)
    ),
]
