"""Padding."""

from typing import Any

import numpy as np
import torch
from case import Case, first, last
from torch import Tensor
from torch.nn import functional as F


def pad(x: Tensor, widths: Any, mode: str = "constant", value: float = 0.0) -> Tensor:
    pairs = [(w, w) if isinstance(w, int) else w for w in widths]
    flat = [n for pair in reversed(pairs) for n in pair]
    return last(F.pad(first(x), flat, mode, value if mode == "constant" else None))


def case(name: str, shape: tuple[int, ...], widths: Any, **options: Any) -> Case:
    def reference(p: dict[str, Tensor], x: Tensor) -> Tensor:
        return pad(x, widths, **options)

    return Case(name, "nn.Pad", reference, (shape,), {"widths": widths, **options})


def symmetric(p: dict[str, Tensor], x: Tensor) -> Tensor:
    """PyTorch has no such mode: the mirror image is put beside by hand."""
    return torch.cat([x[:, :2].flip(1), x, x[:, -1:]], 1)


def center(p: dict[str, Tensor], x: Tensor) -> Tensor:
    """ONNX's CenterCropPad of 5 x 6 to 2 x 9."""
    return F.pad(x[:, 1:3], (0, 0, 1, 2))


CASES = [
    case("constant_1d", (2, 4, 3), [[2, 1]], value=0.5),
    case("constant_2d", (2, 4, 5, 3), [[2, 0], 1]),
    case("constant_3d", (1, 2, 3, 2, 2), [[1, 0], [0, 2], [1, 1]], value=-1.0),
    case("constant_crop", (2, 5, 6, 2), [[-1, 2], [-2, -1]], value=2.0),
    case("reflect_1d", (2, 4, 3), [[3, 2]], mode="reflect"),
    case("reflect_2d", (2, 4, 5, 3), [[2, 1], [0, 4]], mode="reflect"),
    case("reflect_3d", (1, 3, 3, 2, 2), [[1, 0], [0, 2], [1, 1]], mode="reflect"),
    case("reflect_crop", (2, 4, 2), [[-2, 3]], mode="reflect"),
    case("replicate_1d", (2, 4, 3), [[3, 2]], mode="replicate"),
    case("replicate_2d", (2, 4, 5, 3), [[2, 1], [0, 7]], mode="replicate"),
    case("replicate_3d", (1, 3, 3, 2, 2), [[1, 0], [0, 2], [-1, 1]], mode="replicate"),
    case("circular_1d", (2, 4, 3), [[4, 2]], mode="circular"),
    case("circular_2d", (2, 4, 5, 3), [[2, 1], [0, 5]], mode="circular"),
    case("circular_3d", (1, 3, 3, 2, 2), [[1, 0], [0, 2], [1, 1]], mode="circular"),
    case("circular_crop", (2, 5, 2), [[-2, 3]], mode="circular"),
    Case(
        "symmetric",
        "nn.Pad",
        symmetric,
        ((2, 3, 2),),
        {"widths": [[2, 1]], "mode": "symmetric"},
    ),
    Case(
        "pad_batch_axes",
        "nn.pad",
        lambda p, x: pad(x[0], [1], "reflect")[None],
        ((1, 2, 3, 2),),
        {"widths": [1], "mode": "reflect"},
    ),
    Case(
        "pad_any_dtype",
        "nn.pad",
        lambda p, x: F.pad(x, (0, 0, 1, 2), value=7),
        (np.array([[1], [2]]),),
        {"widths": [[1, 2]], "value": 7},
        grads=False,
    ),
    Case("center_crop_pad", "nn.center_crop_pad", center, ((2, 5, 6, 2),), {"size": [2, 9]}),
]
