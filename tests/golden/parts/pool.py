"""Pooling."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from case import Case, first, last
from torch import Tensor
from torch.nn import functional as F

MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
LP = {1: F.lp_pool1d, 2: F.lp_pool2d, 3: F.lp_pool3d}
ADAPTIVE_AVG = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
ADAPTIVE_MAX = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
UNPOOL = {1: F.max_unpool1d, 2: F.max_unpool2d, 3: F.max_unpool3d}
FRACTIONAL = {2: F.fractional_max_pool2d, 3: F.fractional_max_pool3d}


def lasts(results: Any) -> Any:
    """Channels last in one result, or in values and indices."""
    if isinstance(results, tuple):
        return tuple(map(lasts, results))
    return last(results if results.is_floating_point() else results.int())


def pool(name: str, call: str, shape: Any, window: tuple[int, ...], **options: Any) -> Case:
    """Of an array of this shape with one batch axis, or of a given array."""
    axes = len(window)
    given = dict(options)
    if "divisor" in given:
        given["divisor_override"] = given.pop("divisor")
    kind = {"max_pool": MAX, "MaxPool": MAX, "max_pool_with_indices": MAX}.get(call, AVG)[axes]
    if call == "max_pool_with_indices":
        given["return_indices"] = True
    return Case(
        f"{call}_{name}",
        f"nn.{call}",
        lambda _, x: lasts(kind(first(x), window, **given)),
        (shape,),
        {"window": window, **options},
    )


def dilated(_: Any, x: Tensor) -> Tensor:
    """Means of three columns, each the second, with padding that does not count."""
    x = F.pad(x, (0, 0, 2, 2))
    ones = F.pad(torch.ones_like(x[:, 2:-2]), (0, 0, 2, 2))
    total, count = (sum(a[:, i : i + x.shape[1] - 4] for i in (0, 2, 4)) for a in (x, ones))
    return total / count


def lp(name: str, p: float, shape: Any, window: tuple[int, ...], **options: Any) -> Case:
    size = window[0] if len(window) == 1 else window

    def reference(_: Any, x: Tensor) -> Tensor:
        return last(LP[len(window)](first(x), p, size, **options))

    return Case(f"lp_pool_{name}", "nn.lp_pool", reference, (shape,),
                {"p": p, "window": window, **options})  # fmt: skip


def onnx_lp(x: Tensor, p: float, axes: tuple[int, ...]) -> Tensor:
    return x.abs().pow(p).sum(axes).pow(1 / p)


def padded_lp(_: Any, x: Tensor) -> Tensor:
    return last(F.lp_pool2d(F.pad(first(x), (0, 2, 1, 1)), 2, (2, 3), (2, 1)))


def adaptive(name: str, call: str, shape: Any, size: tuple[int | None, ...]) -> Case:
    axes = len(size)
    kind = (ADAPTIVE_AVG if "avg" in call.lower() else ADAPTIVE_MAX)[axes]
    given = {"return_indices": True} if call.endswith("indices") else {}
    size_of_one = size[0] if axes == 1 else size
    return Case(
        f"{call}_{name}",
        f"nn.{call}",
        lambda _, x: lasts(kind(first(x), size_of_one, **given)),
        (shape,),
        {"size": size},
    )


def unpool(name: str, shape: tuple[int, ...], window: tuple[int, ...], **options: Any) -> Case:
    """Of the maxima of noise of this shape; the gradient is with respect to those."""
    axes = len(window)
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(shape))
    given = {k: v for k, v in options.items() if k != "size"}
    found, indices = MAX[axes](first(noise), window, **given, return_indices=True)

    def reference(_: Any, y: Tensor, indices: Tensor) -> Tensor:
        return last(
            UNPOOL[axes](first(y), first(indices), window, **given, output_size=options.get("size"))
        )

    arrays = (last(found).numpy(), last(indices).numpy())
    return Case(f"max_unpool_{name}", "nn.max_unpool", reference, arrays,
                {"window": window, **options})  # fmt: skip


def fractional(
    name: str, call: str, shape: tuple[int, ...], window: tuple[int, ...], **options: Any
) -> Case:
    axes = len(window)
    samples = np.random.default_rng(len(name)).random((shape[0], axes, shape[-1]))
    given = {"size": "output_size", "ratio": "output_ratio"}
    given = {given[name]: value for name, value in options.items()}
    indices = call.endswith("indices")

    def reference(_: Any, x: Tensor, samples: Tensor) -> Any:
        order = samples.detach().movedim(-1, 1)  # [N, C, axes]
        order = order.flip(-1) if axes == 2 else order
        return lasts(
            FRACTIONAL[axes](
                first(x), window, **given, return_indices=indices, _random_samples=order
            )
        )

    return Case(f"{call}_{name}", f"nn.{call}", reference, (shape,),
                {"window": window, **options}, arrays={"samples": samples})  # fmt: skip


def spread_evenly(_: Any, x: Tensor) -> Tensor:
    samples = torch.full((x.shape[0], x.shape[-1], 2), 0.5, dtype=x.dtype)
    return last(F.fractional_max_pool2d(first(x), 2, output_size=(4, 3), _random_samples=samples))


def masked_mean(_: Any, x: Tensor, mask: Tensor) -> Tensor:
    kept = mask[..., None].to(x.dtype)
    return (x * kept).sum((1, 2)) / kept.sum((1, 2)).clamp(min=1)


def whole(call: str, kind: Callable[[Tensor], Tensor], shape: Any, **options: Any) -> Case:
    """Over all spatial axes, by PyTorch's adaptive pooling to one place."""
    name = "_".join([call, *map(str, options)])
    return Case(name, f"nn.{call}", lambda _, x: kind(x), (shape,), options)


def ties(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, shape).astype(float)


KEPT = np.random.default_rng(0).random((3, 4, 5)) < 0.5
KEPT[1] = False
LEVEL = -np.abs(ties(1, 3, 4, 1))
LEVEL[0, 0, 1:] = -np.inf
LEVEL[0, 1, 0] = -np.inf
HOLE = np.random.default_rng(1).standard_normal((2, 4, 6, 2))
HOLE[0, :2, :3] = 0
CEIL = {"ceil_mode": True}

PLAIN = [
    *(
        pool(name, call, shape, window, **options)
        for call in ("max_pool", "avg_pool")
        for name, shape, window, options in (
            ("2d", (2, 4, 6, 2), (2, 2), {}),
            ("2d_overlap", (2, 5, 6, 2), (3, 2), {"stride": (2, 1)}),
            ("2d_padding", (2, 5, 6, 2), (3, 3), {"stride": 2, "padding": 1}),
            ("2d_ceil", (2, 6, 7, 2), (3, 2), {"stride": (2, 3), "padding": 1, **CEIL}),
            ("2d_beyond", (1, 4, 5, 2), (2, 2), {"stride": 3, "padding": 1, **CEIL}),
            ("1d", (2, 6, 3), (2,), {}),
            ("1d_remainder", (2, 7, 3), (3,), {}),
            ("1d_overlap", (2, 8, 3), (3,), {"stride": 2}),
            ("1d_gaps", (2, 8, 3), (2,), {"stride": 3}),
            ("1d_ceil_larger", (1, 3, 2), (4,), {"stride": 2, **CEIL}),
            ("2d_large", (1, 9, 8, 1), (6, 7), {"stride": (2, 1), "padding": (1, 2)}),
            ("3d", (1, 4, 4, 2, 2), (2, 2, 2), {}),
            ("3d_padding", (1, 3, 4, 5, 1), (2, 3, 2), {"stride": 2, "padding": (1, 1, 0)}),
            ("3d_ceil", (1, 4, 5, 4, 1), (3, 2, 3), {"stride": 2, "padding": 1, **CEIL}),
        )
    ),
    pool("ties", "max_pool", ties(2, 6, 6, 1), (3, 3), stride=2, padding=1),
    pool("dilation", "max_pool", (2, 7, 8, 2), (3, 2), stride=(1, 2), padding=1, dilation=(2, 3)),
    pool("dilation_ceil", "max_pool", (1, 9, 2), (2,), stride=3, dilation=2, ceil_mode=True),
    pool("1d_exclude", "avg_pool", (2, 7, 3), (3,), stride=2, padding=1, count_include_pad=False),
    pool("2d_exclude", "avg_pool", (2, 5, 6, 2), (3, 2), stride=2, padding=1,
         count_include_pad=False),
    pool("2d_exclude_ceil", "avg_pool", (2, 6, 7, 2), (3, 2), stride=(2, 3), padding=1,
         ceil_mode=True, count_include_pad=False),
    pool("3d_exclude", "avg_pool", (1, 3, 4, 3, 1), (2, 3, 2), padding=1, count_include_pad=False),
    pool("2d_divisor", "avg_pool", (2, 5, 6, 2), (3, 2), stride=2, padding=1, divisor=5),
    pool("3d_divisor_ceil", "avg_pool", (1, 3, 4, 3, 1), (2, 3, 2), divisor=3, ceil_mode=True),
    Case("avg_pool_dilation", "nn.avg_pool", dilated, ((2, 7, 3),),
         {"window": (3,), "stride": 1, "padding": 2, "dilation": 2, "count_include_pad": False}),
    pool("layer", "MaxPool", (2, 6, 7, 2), (3, 2), stride=2, padding=1, dilation=2, ceil_mode=True),
    pool("layer", "AvgPool", (2, 6, 7, 2), (3, 2), stride=2, padding=1, ceil_mode=True,
         count_include_pad=False),
    pool("layer_divisor", "AvgPool", (2, 6, 7, 2), (3, 2), divisor=4),
    pool("2d", "max_pool_with_indices", (2, 5, 6, 2), (2, 3)),
    pool("1d", "max_pool_with_indices", (2, 8, 3), (3,), stride=2, padding=1),
    pool("3d", "max_pool_with_indices", (1, 4, 3, 5, 1), (2, 3, 2), stride=1, padding=(1, 1, 0)),
    pool("ties", "max_pool_with_indices", ties(2, 6, 7, 1), (3, 3), stride=2, padding=1,
         ceil_mode=True),
    pool("dilation", "max_pool_with_indices", (2, 7, 8, 1), (3, 2), stride=2, padding=1,
         dilation=2),
    pool("lowest", "max_pool_with_indices", LEVEL, (2, 2), stride=1, padding=1),
]  # fmt: skip

POWER = [
    lp("2d", 2, (2, 5, 6, 2), (2, 3)),
    lp("2d_stride", 4.0, (2, 5, 6, 2), (3, 2), stride=(2, 1), ceil_mode=True),
    lp("1d_fourth", 4, (2, 7, 3), (3,), stride=2),
    lp("1d_sum", 1, (2, 7, 3), (2,)),
    lp("1d_ceil", 2, (2, 7, 3), (3,), ceil_mode=True),
    lp("3d", 2, (1, 3, 4, 4, 1), (2, 2, 3), stride=2, ceil_mode=True),
    lp("zeros", 2, HOLE, (2, 3)),
    lp("odd", 3, np.abs(ties(2, 4, 6, 2)) + 0.5, (2, 2), stride=1),
    lp("odd_negative", 3, ties(1, 4, 4, 1) - 1.2, (2, 2)),
    Case("lp_pool_padding", "nn.lp_pool", padded_lp, ((2, 4, 5, 2),),
         {"p": 2, "window": (2, 3), "stride": (2, 1), "padding": ((1, 1), (0, 2))}),
    Case("lp_pool_layer", "nn.LpPool", lambda _, x: last(F.lp_pool2d(first(x), 4, 2, 1)),
         ((2, 4, 5, 2),), {"p": 4, "window": 2, "stride": 1}),
    Case("global_lp_pool", "nn.global_lp_pool", lambda _, x: onnx_lp(x, 2, (1, 2)),
         ((2, 4, 5, 3),), {"p": 2}),
    Case("global_lp_pool_1d", "nn.global_lp_pool", lambda _, x: onnx_lp(x, 3, (-2,)),
         ((2, 2, 5, 3),), {"p": 3, "axes": 1}),
    Case("global_lp_pool_keepdims", "nn.global_lp_pool",
         lambda _, x: onnx_lp(x, 1.5, (1, 2, 3))[:, None, None, None],
         ((2, 3, 2, 4, 1),), {"p": 1.5, "axes": 3, "keepdims": True}),
]  # fmt: skip

GLOBAL = [
    whole("global_avg_pool", lambda x: x.mean((1, 2)), (2, 4, 5, 3)),
    whole("global_avg_pool", lambda x: x.mean((1, 2, 3)), (2, 3, 2, 4, 2), axes=3),
    whole("global_avg_pool", lambda x: last(F.adaptive_avg_pool1d(first(x), 1)), (2, 7, 3),
          axes=1, keepdims=True),
    whole("global_max_pool", lambda x: F.adaptive_max_pool2d(first(x), 1)[..., 0, 0],
          ties(2, 4, 5, 3)),
    whole("global_max_pool", lambda x: last(F.adaptive_max_pool3d(first(x), 1)),
          ties(2, 3, 2, 4, 2), axes=3, keepdims=True),
    whole("GlobalAvgPool", lambda x: last(F.adaptive_avg_pool2d(first(x), 1)), (2, 4, 5, 3),
          keepdims=True),
    whole("GlobalMaxPool", lambda x: F.adaptive_max_pool1d(first(x), 1)[..., 0], (2, 7, 3), axes=1),
    *(
        Case(f"{call}_mask", f"nn.{call}", masked_mean, ((3, 4, 5, 2),), arrays={"mask": KEPT})
        for call in ("global_avg_pool", "GlobalAvgPool")
    ),
]  # fmt: skip

ADAPTIVE = [
    *(
        adaptive(name, call, shape, size)
        for call in ("adaptive_avg_pool", "adaptive_max_pool", "adaptive_max_pool_with_indices")
        for name, shape, size in (
            ("2d", (2, 7, 5, 3), (3, 2)),
            ("2d_larger", (2, 3, 4, 2), (5, 4)),
            ("1d", (2, 10, 3), (4,)),
            ("1d_many", (1, 14, 2), (9,)),
            ("3d", (1, 4, 5, 3, 2), (2, 3, 3)),
        )
    ),
    adaptive("2d_divides", "adaptive_avg_pool", (2, 6, 4, 2), (3, 2)),
    adaptive("2d_keeps", "adaptive_avg_pool", (2, 5, 4, 2), (None, 3)),
    adaptive("ties", "adaptive_max_pool", ties(2, 7, 8, 1), (3, 3)),
    adaptive("ties", "adaptive_max_pool_with_indices", ties(2, 7, 8, 1), (4, None)),
    adaptive("layer", "AdaptiveAvgPool", (2, 7, 5, 3), (None, 2)),
    adaptive("layer", "AdaptiveMaxPool", (2, 7, 5, 3), (3, None)),
]

UNPOOLING = [
    unpool("2d", (2, 4, 6, 3), (2, 2)),
    unpool("2d_size", (2, 5, 7, 3), (2, 3), size=(5, 7)),
    unpool("2d_padding", (2, 6, 5, 2), (3, 3), stride=2, padding=1, size=(6, 5)),
    unpool("2d_overlap", (1, 5, 6, 1), (3, 3), stride=(1, 2), padding=(1, 0), size=(5, 6)),
    unpool("1d", (2, 7, 3), (3,), stride=2),
    unpool("3d", (1, 4, 2, 5, 2), (2, 1, 2), size=(4, 2, 5)),
]
UNPOOLING += [
    Case("max_unpool_layer", "nn.MaxUnpool", UNPOOLING[1].reference, UNPOOLING[1].args,
         UNPOOLING[1].options)
]  # fmt: skip

FRACTIONALS = [
    fractional("2d", "fractional_max_pool", (2, 9, 8, 3), (2, 3), size=(5, 4)),
    fractional("2d_ratio", "fractional_max_pool", (2, 9, 7, 2), (2, 2), ratio=(0.7, 0.6)),
    fractional("3d", "fractional_max_pool", (2, 6, 7, 5, 2), (2, 2, 1), size=(4, 3, 4)),
    fractional("2d_one", "fractional_max_pool", (2, 6, 5, 1), (3, 2), size=(1, 4)),
    fractional("2d", "fractional_max_pool_with_indices", (2, 9, 8, 3), (2, 3), size=(5, 4)),
    fractional("3d", "fractional_max_pool_with_indices", (2, 6, 7, 5, 2), (2, 3, 1),
               ratio=(0.5, 0.6, 0.9)),
    Case("fractional_layer", "nn.FractionalMaxPool", spread_evenly, ((2, 7, 6, 2),),
         {"window": 2, "size": (4, 3)}),
]  # fmt: skip

CASES = [*PLAIN, *POWER, *GLOBAL, *ADAPTIVE, *UNPOOLING, *FRACTIONALS]
