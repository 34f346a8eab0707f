"""Sampling at points."""

from typing import Any

import numpy as np
import torch
from case import Case, first, last
from torch import Tensor
from torch.nn import functional as F

IMAGE, POINTS = (2, 4, 5, 3), (2, 3, 4, 2)
VOLUME, SPACE = (1, 3, 2, 4, 2), (1, 2, 3, 2, 3)


def sample(p: dict[str, Tensor], x: Tensor, grid: Tensor, **options: Any) -> Tensor:
    mode = {"linear": "bilinear", "cubic": "bicubic"}
    name = options.get("mode", "linear")
    return last(
        F.grid_sample(
            first(x),
            grid,
            mode.get(name, name),
            options.get("padding", "zeros"),
            options.get("align_corners", False),
        )
    )


def case(name: str, shape: tuple[int, ...], points: Any, **options: Any) -> Case:
    def reference(p: dict[str, Tensor], x: Tensor, grid: Tensor) -> Tensor:
        return sample(p, x, grid, **options)

    return Case(name, "nn.grid_sample", reference, (shape, points), options)


def line(p: dict[str, Tensor], x: Tensor, grid: Tensor) -> Tensor:
    """One axis, as an image of one row seen through its middle."""
    points = torch.stack([grid[..., 0], torch.zeros_like(grid[..., 0])], -1)
    return sample(p, x[:, None], points[:, None])[:, 0]


def points(p: dict[str, Tensor], x: Tensor, grid: Tensor) -> Tensor:
    """A list of points for each image of two batch axes."""
    return sample(p, x[0], grid[0][:, None])[:, 0][None]


def affine(name: str, theta: tuple[int, ...], size: list[int], corners: bool) -> Case:
    def reference(p: dict[str, Tensor], theta: Tensor) -> Tensor:
        return F.affine_grid(theta, [theta.shape[0], 1, *size], corners)

    options = {"size": size, "align_corners": corners}
    return Case(name, "nn.affine_grid", reference, (theta,), options)


# The elements' centres and edges, where weights and reflections have kinks.
KINKS = np.stack(np.meshgrid(np.arange(-12, 13) / 5, np.array([-0.75, 0.25])), -1)[None]

CASES = [
    *(
        case(
            f"linear_{padding}{'_corners' * corners}",
            IMAGE,
            POINTS,
            padding=padding,
            align_corners=corners,
        )
        for padding in ("zeros", "border", "reflection")
        for corners in (False, True)
    ),
    *(
        case(f"{mode}_{padding}", IMAGE, POINTS, mode=mode, padding=padding, align_corners=corners)
        for mode in ("nearest", "cubic")
        for padding, corners in (("zeros", False), ("border", True), ("reflection", False))
    ),
    case(
        "cubic_reflection_corners",
        IMAGE,
        POINTS,
        mode="cubic",
        padding="reflection",
        align_corners=True,
    ),
    *(
        case(f"volume_{mode}_{padding}", VOLUME, SPACE, mode=mode, padding=padding)
        for mode in ("linear", "nearest")
        for padding in ("zeros", "reflection")
    ),
    case("one_pixel", (1, 1, 1, 2), (1, 2, 2, 2), padding="reflection", align_corners=True),
    *(
        case(f"kinks_{padding}_{mode}", (1, 4, 5, 1), KINKS, padding=padding, mode=mode)
        for padding in ("zeros", "border", "reflection")
        for mode in ("linear", "nearest")
    ),
    Case("line", "nn.grid_sample", line, ((2, 5, 3), (2, 6, 1))),
    Case("points", "nn.grid_sample", points, ((1, 2, 3, 4, 2), (1, 2, 5, 2))),
    affine("affine_2d", (2, 2, 3), [3, 4], False),
    affine("affine_2d_corners", (2, 2, 3), [1, 4], True),
    affine("affine_3d", (2, 3, 4), [2, 3, 1], False),
    affine("affine_3d_corners", (1, 3, 4), [2, 3, 2], True),
]
