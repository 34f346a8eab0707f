"""Resizing, with ONNX's reference implementation for what PyTorch does not have."""

import functools
from typing import Any

import numpy as np
import onnx
import torch
from case import Case, first, last
from onnx import helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor
from torch.nn import functional as F

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
CORNERS = {"coordinates": "align_corners"}


def interpolate(p: dict[str, Tensor], x: Tensor, **options: Any) -> Tensor:
    method = {"linear": LINEAR[x.ndim - 2], "cubic": "bicubic", "lanczos3": "lanczos"}
    mode = options.get("method", "nearest")
    corners = options.get("coordinates") == "align_corners"
    size, scale = options.get("size"), options.get("scale")
    return last(
        F.interpolate(
            first(x),
            size,
            scale,
            method.get(mode, mode),
            align_corners=True if corners else None,
            antialias=options.get("antialias", False),
        )
    )


def case(name: str, shape: tuple[int, ...], call: str = "nn.Resize", **options: Any) -> Case:
    return Case(name, call, functools.partial(interpolate, **options), (shape,), options)


def resized(n: int, m: int, scale: float | None, attributes: dict[str, Any]) -> Tensor:
    """What ONNX's Resize does to each of the n unit vectors: ``[m, n]``."""
    double = onnx.TensorProto.DOUBLE
    target = "size" if scale is None else "scale"
    names = ["x", "", "scale" if scale else "", "size" if not scale else ""]
    kind = onnx.TensorProto.INT64 if scale is None else onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Resize", names[: 3 if scale else 4], ["y"], **attributes)],
        "resize",
        [
            helper.make_tensor_value_info("x", double, [n, n]),
            helper.make_tensor_value_info(target, kind, [2]),
        ],
        [helper.make_tensor_value_info("y", double, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    given = {"x": np.eye(n)}
    given |= {"size": np.array([n, m])} if scale is None else {"scale": np.array([1, scale], "f4")}
    return torch.from_numpy(ReferenceEvaluator(model).run(None, given)[0].T.copy())


def onnx_case(name: str, n: int, target: int | float, ours: dict[str, Any], **theirs: Any) -> Case:
    """On one axis of ``[2, n, 3]``; a float is a scale, exact in float32 as ONNX's."""
    scale = target if isinstance(target, float) else None
    size = {"size": [target]} if scale is None else {"scale": [scale]}
    matrix = resized(n, 0 if scale else target, scale, theirs)

    def reference(p: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.einsum("mn,bnc->bmc", matrix, x)

    return Case(f"onnx_{name}", "nn.resize", reference, ((2, n, 3),), {**size, **ours})


def onnx_cases() -> list[Case]:
    nearest = [
        onnx_case(
            f"nearest_{ours}_{coordinates}",
            *size,
            {"method": "nearest", "rounding": ours, "coordinates": coordinates},
            mode="nearest",
            nearest_mode=theirs,
            coordinate_transformation_mode=coordinates,
        )
        for ours, theirs, coordinates, size in (
            ("prefer_floor", "round_prefer_floor", "half_pixel", (8, 4)),
            ("prefer_ceil", "round_prefer_ceil", "align_corners", (5, 3)),
            ("ceil", "ceil", "asymmetric", (5, 7)),
            ("floor", "floor", "half_pixel_symmetric", (5, 1.5)),
        )
    ]
    linear = [
        onnx_case(
            f"linear_{coordinates}_{size[0]}_{size[1]}".replace(".", "_"),
            *size,
            {"method": "linear", "coordinates": coordinates},
            mode="linear",
            coordinate_transformation_mode=coordinates,
        )
        for coordinates, size in (
            ("asymmetric", (5, 8)),
            ("pytorch_half_pixel", (5, 1)),
            ("half_pixel_symmetric", (5, 1.5)),
        )
    ]
    cubic = [
        onnx_case(
            f"cubic_{i}",
            *size,
            {"method": "cubic", "cubic": a, "exclude_outside": outside, "antialias": antialias},
            mode="cubic",
            cubic_coeff_a=a,
            exclude_outside=int(outside),
            antialias=int(antialias),
        )
        for i, (a, outside, antialias, size) in enumerate(
            (
                (-0.5, True, False, (5, 8)),
                (-0.75, False, False, (7, 4)),
                (-0.75, False, True, (8, 5)),
                (-0.5, True, True, (8, 5)),
            )
        )
    ]
    wide = {"method": "linear", "antialias": True, "exclude_outside": False}
    return [
        *nearest,
        *linear,
        *cubic,
        onnx_case("linear_antialias", 8, 5, wide, mode="linear", antialias=1),
    ]


CASES = [
    case("nearest_1d", (2, 5, 3), size=[7]),
    case("nearest_2d", (2, 5, 6, 3), size=[10, 4]),
    case("nearest_3d", (1, 3, 2, 4, 2), scale=[2.0, 1.5, 0.5]),
    case("nearest_scale", (2, 5, 6, 3), scale=2.3),
    case("exact_1d", (2, 5, 3), size=[3], method="nearest-exact"),
    case("exact_2d", (2, 5, 6, 3), size=[8, 3], method="nearest-exact"),
    case("exact_3d", (1, 3, 2, 4, 2), scale=[2.0, 1.6, 0.6], method="nearest-exact"),
    case("linear_1d", (2, 5, 3), size=[8], method="linear"),
    case("linear_2d", (2, 5, 6, 3), size=[3, 9], method="linear"),
    case("linear_2d_scale", (2, 5, 6, 3), scale=[1.7, 0.6], method="linear"),
    case("linear_2d_corners", (2, 5, 6, 3), size=[9, 1], method="linear", **CORNERS),
    case("linear_2d_corners_scale", (2, 5, 6, 2), scale=1.7, method="linear", **CORNERS),
    case("linear_3d", (1, 3, 2, 4, 2), scale=[2.0, 1.6, 0.6], method="linear"),
    case("linear_antialias", (2, 9, 5, 2), size=[4, 8], method="linear", antialias=True),
    case("linear_antialias_scale", (2, 9, 8, 2), scale=0.4, method="linear", antialias=True),
    case("cubic_2d", (2, 5, 6, 2), size=[8, 4], method="cubic"),
    case("cubic_2d_scale", (2, 5, 6, 2), scale=1.7, method="cubic"),
    case("cubic_2d_corners", (2, 5, 6, 2), size=[3, 9], method="cubic", **CORNERS),
    case("cubic_antialias", (2, 9, 5, 2), size=[4, 8], method="cubic", antialias=True),
    case("lanczos_2d", (2, 9, 5, 2), size=[4, 8], method="lanczos3", antialias=True),
    case("area_1d", (2, 5, 3), size=[3], method="area"),
    case("area_2d", (2, 5, 6, 3), size=[8, 4], method="area"),
    case("area_3d", (1, 3, 2, 4, 2), scale=[0.7, 1.5, 0.5], method="area"),
    case("resize", (2, 5, 6, 3), "nn.resize", scale=2, method="linear"),
    *onnx_cases(),
]
