"""Regions of interest."""

from typing import Any

import numpy as np
from case import Case, first, last
from torch import Tensor
from torchvision import ops

# Inside, beyond two sides, less than a pixel, upside down, and outside.
BOXES = np.array(
    [
        [[0.3, 0.6, 5.2, 3.9], [-2.4, 1.1, 9.7, 8.2], [2.2, 2.3, 2.6, 2.5]],
        [[4.1, 3.2, 1.3, 0.9], [10.2, 1.5, 14.8, 3.1], [0.0, 0.0, 6.0, 5.0]],
    ]
)
IMAGE = (2, 5, 6, 3)


def case(name: str, call: str, size: list[int], **options: Any) -> Case:
    given = {"scale": "spatial_scale", "samples": "sampling_ratio"}
    theirs = {given.get(option, option): value for option, value in options.items()}

    def reference(p: dict[str, Tensor], x: Tensor, boxes: Tensor) -> Tensor:
        of = {"nn.roi_align": ops.roi_align, "nn.roi_pool": ops.roi_pool}[call]
        found = of(first(x), list(boxes.detach()), size, **theirs)
        return last(found).unflatten(0, boxes.shape[:2])

    return Case(name, call, reference, (IMAGE, BOXES), {"size": size, **options})


def single(p: dict[str, Tensor], x: Tensor, boxes: Tensor) -> Tensor:
    return last(ops.roi_align(first(x[None]), [boxes.detach()], [2, 2]))


def ties(p: dict[str, Tensor], x: Tensor, boxes: Tensor) -> Tensor:
    found = ops.roi_pool(first(x), list(boxes.detach()), [2, 3])
    return last(found).unflatten(0, boxes.shape[:2])


EQUAL = np.random.default_rng(0).integers(0, 3, IMAGE).astype(np.float64)

CASES = [
    case("align", "nn.roi_align", [2, 3]),
    case("align_aligned", "nn.roi_align", [3, 2], aligned=True, scale=0.7),
    case("align_samples", "nn.roi_align", [2, 2], samples=2, scale=1.5),
    case("align_samples_aligned", "nn.roi_align", [1, 4], samples=3, aligned=True),
    Case("align_no_batch", "nn.roi_align", single, ((5, 6, 3), BOXES[0]), {"size": 2}),
    case("pool", "nn.roi_pool", [2, 3]),
    case("pool_scale", "nn.roi_pool", [3, 2], scale=0.5),
    case("pool_finer", "nn.roi_pool", [7, 7], scale=0.7),
    Case("pool_ties", "nn.roi_pool", ties, (EQUAL, BOXES), {"size": [2, 3]}),
]
