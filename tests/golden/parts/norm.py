"""Normalisations."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from case import Case, first, last
from torch import Tensor
from torch.nn import functional as F

type Reference = Callable[..., Any]
BOTH = {"scale": (3,), "bias": (3,)}
RUNNING = {"stats/mean": (3,), "stats/var": np.array([0.7, 1.9, 1.2])}
# Two sequences of 4 and 2 of at most 5 steps, and images with holes.
STEPS = np.arange(5) < np.array([[4], [2]])
HOLES = np.random.default_rng(0).random((2, 3, 4)) < 0.6


def layer_norm(axes: int = 1, eps: float = 1e-5) -> Reference:
    return lambda p, x, scale=None, bias=None: F.layer_norm(
        x, x.shape[-axes:], p.get("scale", scale), p.get("bias", bias), eps
    )


def rms_norm(axes: int = 1, eps: float | None = None) -> Reference:
    return lambda p, x, scale=None: F.rms_norm(x, x.shape[-axes:], p.get("scale", scale), eps)


LAYER = [
    Case("layer_norm", "nn.LayerNorm", layer_norm(), ((4, 3),), {}, BOTH),
    Case("layer_norm_eps", "nn.LayerNorm", layer_norm(eps=0.1), ((2, 3, 3),), {"eps": 0.1}, BOTH),
    Case(
        "layer_norm_no_bias",
        "nn.LayerNorm",
        layer_norm(),
        ((4, 3),),
        {"bias": False},
        {"scale": (3,)},
    ),
    Case(
        "layer_norm_bare", "nn.LayerNorm", layer_norm(), ((4, 3),), {"scale": False, "bias": False}
    ),
    Case(
        "layer_norm_axes",
        "nn.LayerNorm",
        layer_norm(2),
        ((2, 4, 3),),
        {"axes": 2},
        {"scale": (4, 3), "bias": (4, 3)},
    ),
    Case("layer_norm_vector", "nn.LayerNorm", layer_norm(), ((3,),), {}, BOTH),
    Case("layer_norm_constant", "nn.LayerNorm", layer_norm(), (np.full((2, 3), 1.5),), {}, BOTH),
    Case("layer_norm_function", "nn.layer_norm", layer_norm(), ((4, 3), (3,), (3,))),
    Case(
        "layer_norm_function_axes",
        "nn.layer_norm",
        layer_norm(3, 1e-3),
        ((2, 2, 4, 3),),
        {"axes": 3, "eps": 1e-3},
    ),
    Case("rms_norm", "nn.RMSNorm", rms_norm(), ((4, 3),), {}, {"scale": (3,)}),
    Case(
        "rms_norm_eps", "nn.RMSNorm", rms_norm(eps=0.1), ((2, 3, 3),), {"eps": 0.1}, {"scale": (3,)}
    ),
    Case("rms_norm_bare", "nn.RMSNorm", rms_norm(), ((4, 3),), {"scale": False}),
    Case("rms_norm_axes", "nn.RMSNorm", rms_norm(2), ((2, 4, 3),), {"axes": 2}, {"scale": (4, 3)}),
    Case("rms_norm_function", "nn.rms_norm", rms_norm(), ((4, 3), (3,))),
    Case(
        "rms_norm_function_axes",
        "nn.rms_norm",
        rms_norm(2, 1e-6),
        ((2, 4, 3),),
        {"axes": 2, "eps": 1e-6},
    ),
]


def batch_norm(
    train: bool, *, eps: float = 1e-5, momentum: float | None = 0.1, unbiased: bool = True
) -> dict[str, Reference]:
    """The result, and in training the new statistics."""

    def run(p: dict[str, Tensor], x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Any]:
        shown = x.reshape(-1, x.shape[-1]) if mask is None else x[mask]
        rate = momentum
        if rate is None:
            rate = 1 / (p["stats/count"].item() + 1)
        mean, var = (p[f"stats/{n}"].detach().clone() if f"stats/{n}" in p else None for n in RUN)
        y = F.batch_norm(
            shown, mean, var, p.get("scale"), p.get("bias"), train or mean is None, rate, eps
        )
        if train and not unbiased:
            assert var is not None
            old = p["stats/var"].detach()
            var = old + (var - old) * (len(shown) - 1) / len(shown)
            var = old + rate * (shown.detach().var(0, correction=0) - old)
        new = {"stats/mean": mean, "stats/var": var}
        if momentum is None:
            new["stats/count"] = p["stats/count"] + 1
        if mask is None:
            return y.reshape(x.shape), new
        return torch.zeros_like(x).masked_scatter(mask[..., None].expand(x.shape), y), new

    made: dict[str, Reference] = {"reference": lambda *a, **k: run(*a, **k)[0]}
    return made | {"new": lambda *a, **k: run(*a, **k)[1]} if train else made


RUN = ("mean", "var")


def case(name: str, shape: Any, options: Any = None, leaves: Any = None, **rest: Any) -> Case:
    train = rest.pop("train", False)
    given = options or {}
    meant = {k: v for k, v in given.items() if k in ("eps", "momentum", "unbiased")}
    params = (BOTH if leaves is None else leaves) | ({} if given.get("stats") is False else RUNNING)
    if given.get("momentum", 0) is None:
        params = params | {"stats/count": np.array(3.0)}
    return Case(
        f"batch_norm_{name}",
        "nn.BatchNorm",
        args=(shape,),
        options=given,
        params=params,
        train=train,
        **batch_norm(train, **meant),
        **rest,
    )


MASK = {"arrays": {"mask": STEPS}}
BATCH = [
    *(
        case(f"{name}_{mode}", shape, options, leaves, train=mode == "train")
        for mode in ("train", "eval")
        for name, shape, options, leaves in (
            ("0d", (6, 3), {}, None),
            ("1d", (2, 4, 3), {"eps": 1e-3, "momentum": 0.3}, None),
            ("2d", (2, 3, 2, 3), {}, None),
            ("3d", (2, 2, 2, 2, 3), {}, None),
            ("bare", (6, 3), {"scale": False, "bias": False}, {}),
        )
    ),
    case("cumulative", (6, 3), {"momentum": None}, train=True),
    case("cumulative_eval", (6, 3), {"momentum": None}),
    case("biased", (2, 4, 3), {"unbiased": False, "momentum": 0.01, "eps": 1e-3}, train=True),
    case("no_stats", (2, 4, 3), {"stats": False}),
    case("mask", (2, 5, 3), train=True, **MASK),
    case("mask_biased", (2, 5, 3), {"unbiased": False}, train=True, **MASK),
    case("mask_eval", (2, 5, 3), **MASK),
    Case(
        "batch_norm_function",
        "nn.batch_norm",
        lambda p, x, mean, var, scale, bias: (x - mean) / torch.sqrt(var + 1e-5) * scale + bias,
        ((4, 5, 3), (3,), RUNNING["stats/var"], (3,), (3,)),
    ),
    Case(
        "batch_norm_function_mask",
        "nn.batch_norm",
        lambda p, x, mean, var, mask: torch.where(
            mask[..., None], (x - mean) / torch.sqrt(var + 1e-3), 0
        ),
        ((2, 5, 3), (3,), RUNNING["stats/var"]),
        {"eps": 1e-3},
        arrays={"mask": STEPS},
    ),
]


def each(run: Reference, x: Tensor, mask: Tensor | None) -> Tensor:
    """``run`` on what is shown of each example, ``[1, C, N]``, and zeros elsewhere."""
    y = torch.zeros_like(x)
    for i in range(len(x)):
        keep = torch.ones(x.shape[1:-1], dtype=torch.bool) if mask is None else mask[i]
        if keep.any():
            shown = last(run(first(x[i][keep][None])))[0]
            spread = keep[..., None].expand(x.shape[1:])
            y[i] = torch.zeros_like(x[i]).masked_scatter(spread, shown)
    return y


def group_norm(groups: int, eps: float = 1e-5) -> Reference:
    def run(
        p: dict[str, Tensor],
        x: Tensor,
        scale: Tensor | None = None,
        bias: Tensor | None = None,
        *,
        mask: Tensor | None = None,
    ) -> Tensor:
        scale, bias = p.get("scale", scale), p.get("bias", bias)
        if mask is None:
            return last(F.group_norm(first(x), groups, scale, bias, eps))
        return each(lambda x: F.group_norm(x, groups, scale, bias, eps), x, mask)

    return run


FOUR = {"scale": (4,), "bias": (4,)}
GROUP = [
    Case("group_norm", "nn.GroupNorm", group_norm(2), ((2, 3, 2, 4),), {"groups": 2}, FOUR),
    Case(
        "group_norm_one",
        "nn.GroupNorm",
        group_norm(1, 1e-3),
        ((2, 5, 4),),
        {"groups": 1, "axes": 1, "eps": 1e-3},
        FOUR,
    ),
    Case(
        "group_norm_each",
        "nn.GroupNorm",
        group_norm(4),
        ((2, 2, 2, 3, 4),),
        {"groups": 4, "axes": 3, "bias": False},
        {"scale": (4,)},
    ),
    Case(
        "group_norm_vector",
        "nn.GroupNorm",
        group_norm(2),
        ((3, 4),),
        {"groups": 2, "axes": 0, "scale": False, "bias": False},
    ),
    Case(
        "group_norm_mask",
        "nn.GroupNorm",
        group_norm(2),
        ((2, 5, 4),),
        {"groups": 2, "axes": 1},
        FOUR,
        {"mask": STEPS},
    ),
    Case(
        "group_norm_function",
        "nn.group_norm",
        group_norm(3),
        ((2, 3, 2, 6),),
        {"groups": 3},
        arrays={"scale": (6,), "bias": (6,)},
    ),
    Case(
        "group_norm_function_mask",
        "nn.group_norm",
        group_norm(2),
        ((2, 3, 4, 4),),
        {"groups": 2},
        arrays={"mask": HOLES},
    ),
]


def instance_norm(
    train: bool = False, *, eps: float = 1e-5, momentum: float = 0.1
) -> dict[str, Reference]:
    def run(
        p: dict[str, Tensor],
        x: Tensor,
        scale: Tensor | None = None,
        bias: Tensor | None = None,
        *,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Any]:
        scale, bias = p.get("scale", scale), p.get("bias", bias)
        old = [p[f"stats/{n}"].detach() if f"stats/{n}" in p else None for n in RUN]
        new: list[list[Tensor]] = []

        def norm(x: Tensor) -> Tensor:
            moved = [None if s is None else s.clone() for s in old]
            own = train or old[0] is None
            y = F.instance_norm(x, *moved, scale, bias, own, momentum, eps)
            new.append(moved)  # pyright: ignore[reportArgumentType]
            return y

        y = last(norm(first(x))) if mask is None else each(norm, x, mask)
        if not train:
            return y, None
        # Masked ones are given one by one: PyTorch, too, takes the mean over the examples.
        each_new = (torch.stack(s).mean(0) for s in zip(*new, strict=True))
        return y, dict(zip(("stats/mean", "stats/var"), each_new, strict=True))

    made: dict[str, Reference] = {"reference": lambda *a, **k: run(*a, **k)[0]}
    return made | {"new": lambda *a, **k: run(*a, **k)[1]} if train else made


INSTANCE = [
    Case("instance_norm", "nn.InstanceNorm", args=((2, 3, 2, 3),), **instance_norm()),
    Case(
        "instance_norm_affine",
        "nn.InstanceNorm",
        args=((2, 5, 3),),
        options={"axes": 1, "scale": True, "bias": True, "eps": 1e-3},
        params=BOTH,
        **instance_norm(eps=1e-3),
    ),
    Case(
        "instance_norm_3d",
        "nn.InstanceNorm",
        args=((2, 2, 1, 3, 3),),
        options={"axes": 3},
        **instance_norm(),
    ),
    *(
        Case(
            f"instance_norm_stats_{'train' if train else 'eval'}",
            "nn.InstanceNorm",
            args=((2, 3, 2, 3),),
            options={"scale": True, "bias": True, "stats": True, "momentum": 0.3},
            params=BOTH | RUNNING,
            train=train,
            **instance_norm(train, momentum=0.3),
        )
        for train in (True, False)
    ),
    Case(
        "instance_norm_mask",
        "nn.InstanceNorm",
        args=((2, 5, 3),),
        options={"axes": 1, "stats": True},
        params=RUNNING,
        train=True,
        arrays={"mask": STEPS},
        **instance_norm(True),
    ),
    Case(
        "instance_norm_mask_nothing",
        "nn.InstanceNorm",
        args=((2, 5, 3),),
        options={"axes": 1, "stats": True},
        params=RUNNING,
        train=True,
        arrays={"mask": STEPS & np.array([[True], [False]])},
        **instance_norm(True),
    ),
    Case(
        "instance_norm_function",
        "nn.instance_norm",
        args=((2, 3, 2, 3), (3,), (3,)),
        **instance_norm(),
    ),
    Case(
        "instance_norm_function_mask",
        "nn.instance_norm",
        args=((2, 3, 4, 3),),
        options={"eps": 1e-3},
        arrays={"mask": HOLES},
        **instance_norm(eps=1e-3),
    ),
]


def local_response(size: int, **options: Any) -> Reference:
    return lambda p, x: last(F.local_response_norm(first(x), size, **options))


LARGE = {"alpha": 0.5, "beta": 0.6, "k": 2.0}
LOCAL = [
    Case(
        f"local_response_norm_{i}",
        call,
        local_response(size, **options),
        (shape,),
        {"size": size, **options},
    )
    for i, (call, size, options, shape) in enumerate(
        (
            ("nn.local_response_norm", 3, LARGE, (2, 3, 2, 5)),
            ("nn.local_response_norm", 4, LARGE, (2, 3, 5)),
            ("nn.local_response_norm", 1, LARGE, (2, 3, 2)),
            ("nn.local_response_norm", 7, LARGE, (2, 2, 2, 2, 3)),
            ("nn.LocalResponseNorm", 5, {}, (2, 3, 2, 6)),
            ("nn.LocalResponseNorm", 2, LARGE, (2, 3, 2, 4)),
        )
    )
]


def unit(p: dict[str, Tensor], x: Tensor, order: float, axis: Any, eps: float = 1e-12) -> Tensor:
    return x / torch.linalg.vector_norm(x, order, axis, keepdim=True).clamp_min(eps)


ZERO = np.array([[3.0, -4.0, 1.0], [0.0, 0.0, 0.0]])
UNIT = [
    Case("normalize", "nn.normalize", lambda p, x: F.normalize(x, dim=-1), ((4, 3),)),
    *(
        Case(
            f"normalize_{name}",
            "nn.normalize",
            lambda p, x, order=order, axis=axis: unit(p, x, order, axis),
            (shape,),
            {"p": order, "axis": axis},
        )
        for name, order, axis, shape in (
            ("1", 1, -1, (4, 3)),
            ("3", 3, 0, (4, 3)),
            ("fraction", 1.5, 1, (2, 4, 3)),
            ("largest", math.inf, -1, (4, 3)),
            ("axes", 2, [-2, -1], (2, 4, 3)),
        )
    ),
    Case("normalize_zero", "nn.normalize", lambda p, x: F.normalize(x, dim=-1), (ZERO,)),
    Case(
        "normalize_small",
        "nn.normalize",
        lambda p, x: F.normalize(x, dim=-1, eps=4.0),
        (ZERO,),
        {"eps": 4.0},
    ),
    Case("normalize_layer", "nn.Normalize", lambda p, x: F.normalize(x, dim=-1), ((4, 3),)),
    Case(
        "normalize_layer_options",
        "nn.Normalize",
        lambda p, x: F.normalize(x, 1, 0),
        ((4, 3),),
        {"p": 1, "axis": 0},
    ),
]


def mean_variance(p: dict[str, Tensor], x: Tensor, axes: Any, eps: float = 1e-9) -> Tensor:
    """As the function body in ONNX's specification."""
    mean = x.mean(axes, keepdim=True)
    variance = (x**2).mean(axes, keepdim=True) - mean**2
    return (x - mean) / (torch.sqrt(variance) + eps)


MEAN_VARIANCE = [
    Case(
        f"mean_variance_norm_{i}",
        "nn.mean_variance_norm",
        lambda p, x, axes=axes: mean_variance(p, x, axes),
        (shape,),
        {"axes": axes},
    )
    for i, (axes, shape) in enumerate((([0, 1, 2], (2, 3, 2, 3)), (-1, (4, 3)), ([1], (2, 5, 3))))
]

CASES = [*LAYER, *BATCH, *GROUP, *INSTANCE, *LOCAL, *UNIT, *MEAN_VARIANCE]
