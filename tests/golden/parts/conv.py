"""Convolutions and their kin."""

import itertools
import math
from typing import Any

import torch
from case import Case, first, last
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import deform_conv2d

CONVS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSES = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
MODES = ("zeros", "reflect", "replicate", "circular")


def weight(kernel: Tensor) -> Tensor:
    """``[*window, in, out]`` as PyTorch's ``[out, in, *window]``."""
    return kernel.movedim((-1, -2), (0, 1))


def sides(padding: Any, axes: int) -> list[tuple[int, int]]:
    each = [padding] * axes if isinstance(padding, int) else padding
    return [(side, side) if isinstance(side, int) else tuple(side) for side in each]


def same(x: Tensor, size: Any, stride: Any = 1, dilation: Any = 1) -> list[tuple[int, int]]:
    """TensorFlow's: as many places as strides begin, an odd zero on the high side."""
    axes = len(size)
    stride, dilation = ([n] * axes if isinstance(n, int) else n for n in (stride, dilation))
    totals = [
        max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
        for n, k, s, d in zip(x.shape[-axes - 1 : -1], size, stride, dilation, strict=True)
    ]
    return [(total // 2, total - total // 2) for total in totals]


def convolved(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None = None,
    padding: Any = 0,
    padding_mode: str = "zeros",
    **options: Any,
) -> Tensor:
    axes = kernel.ndim - 2
    pads = [n for pair in reversed(sides(padding, axes)) for n in pair]
    mode = padding_mode.replace("zeros", "constant")
    batch, x = x.shape[: -axes - 1], first(x.flatten(0, -axes - 2), axes)
    y = CONVS[axes](F.pad(x, pads, mode), weight(kernel), bias, **options)
    return last(y, axes).unflatten(0, batch)


def conv(name: str, shape: Any, features: int, *size: int, **options: Any) -> Case:
    groups, bias = options.get("groups", 1), options.get("bias", True)

    def reference(p: Any, x: Tensor) -> Tensor:
        rest = {k: v for k, v in options.items() if k != "bias"}
        if rest.get("padding") == "SAME":
            rest["padding"] = same(x, size, rest.get("stride", 1), rest.get("dilation", 1))
        if rest.get("padding") == "CAUSAL":
            rest["padding"] = [((k - 1) * rest.get("dilation", 1), 0) for k in size]
        return convolved(x, p["kernel"], p.get("bias"), **rest)

    params: dict[str, Any] = {"kernel": (*size, shape[-1] // groups, features)}
    params |= {"bias": (features,)} if bias else {}
    given = {"features": features, "kernel_size": size, **options}
    return Case(f"conv_{name}", "nn.Conv", reference, (shape,), given, params)


def swapped(kernel: Tensor, groups: int) -> Tensor:
    """``[*window, in / groups, out]`` as a transposed convolution's ``[in, out / groups, …]``."""
    return weight(kernel).unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)


def transposed(name: str, shape: Any, features: int, *size: int, **options: Any) -> Case:
    axes, groups, bias = len(size), options.get("groups", 1), options.get("bias", True)

    def reference(p: Any, x: Tensor) -> Tensor:
        rest = {k: v for k, v in options.items() if k != "bias"}
        padding = rest.pop("padding", 0)
        stride = rest.get("stride", 1)
        strides = [stride] * axes if isinstance(stride, int) else stride
        if isinstance(padding, str):
            # A stride longer than the kernel leaves zeros behind the last place.
            more = [max(s - k, 0) for s, k in zip(strides, size, strict=True)]
            total = [max(k - s, 0) for s, k in zip(strides, size, strict=True)]
            cut = [(n // 2, n - n // 2) for n in total] if padding == "SAME" else [(0, 0)] * axes
        else:
            more, cut = [0] * axes, sides(padding, axes)
        even = [min(pair) for pair in cut]
        batch, x = x.shape[: -axes - 1], first(x.flatten(0, -axes - 2), axes)
        kernel = swapped(p["kernel"], groups)
        if any(more) or any(low != high for low, high in cut):
            y = TRANSPOSES[axes](x, kernel, **rest)
            pads = [
                n for (low, high), m in reversed(list(zip(cut, more, strict=True)))
                for n in (-low, m - high)
            ]  # fmt: skip
            y = F.pad(y, pads)
            y = y if p.get("bias") is None else y + p["bias"].reshape(-1, *[1] * axes)
        else:
            y = TRANSPOSES[axes](x, kernel, p.get("bias"), padding=even, **rest)
        return last(y, axes).unflatten(0, batch)

    params: dict[str, Any] = {"kernel": (*size, shape[-1] // groups, features)}
    params |= {"bias": (features,)} if bias else {}
    given = {"features": features, "kernel_size": size, **options}
    return Case(f"transposed_{name}", "nn.ConvTranspose", reference, (shape,), given, params)


def depthwise(name: str, shape: Any, *size: int, multiplier: int = 1, **options: Any) -> Case:
    channels = shape[-1]

    def reference(p: Any, x: Tensor) -> Tensor:
        rest = dict(options)
        if rest.get("padding") == "SAME":
            rest["padding"] = same(x, size, rest.get("stride", 1))
        y = convolved(x, p["depthwise/kernel"], p.get("bias"), groups=channels, **rest)
        return y if "pointwise/kernel" not in p else y @ p["pointwise/kernel"] + p["pointwise/bias"]

    given = {"kernel_size": size, "multiplier": multiplier, **options}
    kernel = (*size, 1, channels * multiplier)
    if name.startswith("separable"):
        params = {"pointwise/kernel": (channels * multiplier, 3), "pointwise/bias": (3,)}
        params["depthwise/kernel"] = kernel
        return Case(name, "nn.SeparableConv", reference, (shape,), {"features": 3, **given}, params)
    return Case(
        name,
        "nn.DepthwiseConv",
        lambda p, x: reference({"depthwise/kernel": p["kernel"], "bias": p["bias"]}, x),
        (shape,),
        given,
        {"kernel": kernel, "bias": (channels * multiplier,)},
    )


def deform(
    name: str, shape: Any, features: int, *size: int, parts: int = 1, mask: bool, **options: Any
) -> Case:
    """Offsets around zero, some far outside; ``zero`` in the name: none, as at the start."""
    groups = options.get("groups", 1)
    kernel = (*size, shape[-1] // groups, features)
    plain = {k: v for k, v in options.items() if k != "groups"}
    probe = convolved(torch.zeros(shape), torch.zeros(*size, shape[-1], 1), **plain)
    places, taps = probe.shape[:-1], math.prod(size)

    def reference(p: Any, x: Tensor, offsets: Tensor, mask: Tensor | None = None) -> Tensor:
        moved = None if mask is None else first(mask)
        arrays = first(x), first(offsets), weight(p["kernel"]), p["bias"]
        return last(deform_conv2d(*arrays, mask=moved, **plain))

    spread = 2 * torch.randn(*places, 2 * parts * taps, generator=torch.manual_seed(len(name)))
    offsets = spread.double().numpy() * (0 if "zero" in name else 1)
    args = (shape, offsets, (*places, parts * taps)) if mask else (shape, offsets)
    given = {"features": features, "kernel_size": size, **options}
    params = {"kernel": kernel, "bias": (features,)}
    return Case(f"deform_{name}", "nn.DeformConv", reference, args, given, params)


def between(x: Tensor, at: list[Tensor]) -> Tensor:
    """``x [*spatial, C]`` at positions, one tensor an axis: the sum over all its elements."""
    shares = [
        (1 - (position[..., None] - torch.arange(n)).abs()).clamp(min=0)
        for position, n in zip(at, x.shape[:-1], strict=True)
    ]
    if len(at) == 1:
        return torch.einsum("la,ac->lc", *shares, x)
    return torch.einsum("la,lb,ld,abdc->lc", *shares, x)


def deform_by_hand(name: str, shape: Any, features: int, *size: int, stride: int) -> Case:
    """For one and three axes, which PyTorch has not: every element by its distance."""
    axes, taps = len(size), math.prod(size)
    places = [(n - k) // stride + 1 for n, k in zip(shape[1:-1], size, strict=True)]

    def reference(p: Any, x: Tensor, offsets: Tensor, kernel: Tensor, mask: Tensor) -> Tensor:
        grid = torch.tensor(list(itertools.product(*map(range, places)))) * stride
        steps = torch.tensor(list(itertools.product(*map(range, size))))
        offsets = offsets.reshape(len(x), -1, taps, axes)
        y = []
        for example, moved, shares in zip(x, offsets, mask, strict=True):
            total = 0
            for t in range(taps):
                at = (grid + steps[t] + moved[:, t]).unbind(-1)
                share = shares.reshape(-1, taps)[:, t, None]
                total = total + share * between(example, at) @ kernel.reshape(taps, -1, features)[t]
            y.append(total.reshape(*places, features))
        return torch.stack(y)

    args = (shape, (shape[0], *places, taps * axes), (*size, shape[-1], features))
    arrays = {"mask": (shape[0], *places, taps)}
    return Case(f"deform_{name}", "nn.deform_conv", reference, args, {"stride": stride}, {}, arrays)


def unfold(name: str, shape: Any, *window: int, **options: Any) -> Case:
    """With three axes or one by ``Tensor.unfold``, which knows no padding and dilation."""
    axes = len(window)

    def reference(p: Any, x: Tensor) -> Tensor:
        if axes == 2:
            y = F.unfold(first(x), window, **options)
            places = [
                (n + 2 * options.get("padding", 0) - options.get("dilation", 1) * (k - 1) - 1)
                // options.get("stride", 1) + 1 for n, k in zip(x.shape[1:-1], window, strict=True)
            ]  # fmt: skip
            return y.mT.reshape(len(x), *places, -1)
        for axis, k in enumerate(window):
            x = x.unfold(1 + axis, k, options.get("stride", 1))
        return x.flatten(1 + axes)

    return Case(f"unfold_{name}", "nn.unfold", reference, (shape,), {"window": window, **options})


def fold(name: str, size: Any, places: Any, channels: int, *window: int, **options: Any) -> Case:
    def reference(p: Any, columns: Tensor) -> Tensor:
        flat = columns.flatten(1, 2).mT
        return last(F.fold(flat, size, window, **options))

    shape = (2, *places, channels * math.prod(window))
    given = {"size": size, "window": window, **options}
    return Case(f"fold_{name}", "nn.fold", reference, (shape,), given)


def fold_by_hand(name: str, size: Any, *window: int, stride: int) -> Case:
    places = [(n - k) // stride + 1 for n, k in zip(size, window, strict=True)]

    def reference(p: Any, columns: Tensor) -> Tensor:
        columns = columns.unflatten(-1, (2, *window))
        y = torch.zeros(len(columns), 2, *size, dtype=columns.dtype)
        for at in itertools.product(*map(range, places)):
            cut = [slice(i * stride, i * stride + k) for i, k in zip(at, window, strict=True)]
            part = torch.zeros_like(y)
            part[:, :, *cut] = columns[:, *at]
            y = y + part
        return last(y)

    shape = (2, *places, 2 * math.prod(window))
    given = {"size": size, "window": window, "stride": stride}
    return Case(f"fold_{name}", "nn.fold", reference, (shape,), given)


def local(name: str, shape: Any, features: int, *size: int, **options: Any) -> Case:
    """At each place a convolution with that place's kernel, of which one value is kept."""
    plain = convolved(torch.zeros(shape), torch.zeros(*size, shape[-1], 1), **options)
    places = plain.shape[1:-1]

    def reference(p: Any, x: Tensor) -> Tensor:
        y = torch.zeros(len(x), *places, features, dtype=x.dtype)
        for at in itertools.product(*map(range, places)):
            part = torch.zeros_like(y)
            part[:, *at] = convolved(x, p["kernel"][at], p["bias"][at], **options)[:, *at]
            y = y + part
        return y

    params = {"kernel": (*places, *size, shape[-1], features), "bias": (*places, features)}
    given = {"features": features, "kernel_size": size, **options}
    return Case(f"local_{name}", "nn.LocalConv", reference, (shape,), given, params)


FUNCTIONS = {
    "nn.Conv": "nn.conv", "nn.ConvTranspose": "nn.conv_transpose", "nn.LocalConv": "nn.local_conv"
}  # fmt: skip


def as_function(case: Case) -> Case:
    """A layer's case as its function's, which is given the leaves as arrays."""
    options = {k: v for k, v in case.options.items() if k not in ("features", "kernel_size")}

    def reference(p: Any, *args: Tensor, **leaves: Tensor) -> Tensor:
        return case.reference(leaves, *args)

    call = FUNCTIONS[case.call]
    return Case(case.name, call, reference, case.args, options, {}, case.params)


CONV_1D = [
    conv("1d", (2, 8, 3), 4, 3),
    conv("1d_no_bias", (2, 8, 3), 4, 3, bias=False),
    conv("1d_kernel_1", (2, 5, 3), 4, 1),
    conv("1d_whole", (2, 5, 3), 4, 5),
    conv("1d_same_even", (2, 8, 3), 4, 4, padding="SAME"),
    conv("1d_same_dilated", (2, 8, 3), 4, 3, padding="SAME", dilation=2),
    conv("1d_same_stride", (2, 8, 3), 4, 4, padding="SAME", stride=3),
    conv("1d_causal", (2, 8, 3), 4, 3, padding="CAUSAL", dilation=2),
    conv("1d_stride_remainder", (2, 9, 3), 2, 2, stride=3),
    conv("1d_groups", (2, 7, 4), 6, 3, padding=1, groups=2),
    conv("1d_depthwise", (2, 7, 4), 4, 3, padding=1, groups=4),
    conv("1d_depthwise_twice", (2, 7, 4), 8, 3, padding=1, groups=4),
    conv("1d_all", (2, 11, 4), 6, 3, stride=2, padding=3, dilation=2, groups=2),
    *(conv(f"1d_{m}", (2, 6, 2), 3, 4, padding=3, padding_mode=m) for m in MODES),
    *(conv(f"1d_{m}_1_3", (2, 6, 2), 3, 3, padding=((1, 3),), padding_mode=m) for m in MODES),
]

CONV_2D = [
    conv("2d", (2, 5, 4, 2), 3, 3, 2),
    conv("2d_stride", (2, 6, 7, 2), 3, 3, 3, stride=2, padding=1),
    conv("2d_strides", (2, 6, 7, 2), 3, 2, 3, stride=(1, 3), padding=(1, 0)),
    conv("2d_dilations", (2, 6, 7, 2), 3, 2, 3, dilation=(3, 2)),
    conv("2d_groups", (2, 5, 4, 4), 6, 3, 3, padding=1, groups=2),
    conv("2d_depthwise", (2, 5, 4, 3), 3, 3, 3, padding=1, groups=3),
    conv("2d_depthwise_stride", (2, 6, 5, 3), 6, 3, 3, stride=2, padding=1, groups=3),
    conv("2d_same_even", (2, 5, 4, 2), 3, 2, 4, padding="SAME"),
    conv("2d_all", (1, 9, 8, 4), 2, 3, 2, stride=(2, 1), padding=(2, 1), dilation=2, groups=2),
    *(conv(f"2d_{m}", (1, 5, 4, 2), 2, 3, 3, padding=(2, 1), padding_mode=m) for m in MODES),
    conv("2d_asymmetric", (1, 5, 4, 2), 2, 3, 3, padding=((0, 2), (1, 0))),
    conv("2d_reflect_asymmetric", (1, 5, 4, 2), 2, 3, 3, padding=((0, 2), (1, 0)),
         padding_mode="reflect"),
]  # fmt: skip

CONV_3D = [
    conv("3d", (1, 3, 4, 3, 2), 2, 2, 3, 2, padding=(1, 0, 1)),
    conv("3d_all", (1, 5, 4, 5, 2), 4, 2, 2, 2, stride=2, padding=1, dilation=(2, 1, 1), groups=2),
    conv("3d_circular", (1, 3, 3, 2, 2), 1, 2, 2, 2, padding=1, padding_mode="circular"),
]

# With so many inputs, taps or groups that no shortcut for small ones is taken.
CONV_WIDE = [
    conv("1d_wide", (2, 9, 12), 4, 3, padding=1),
    conv("1d_wide_stride", (2, 10, 12), 4, 3, stride=2, padding=1, dilation=2),
    conv("1d_wide_window", (2, 14, 1), 2, 12),
    conv("2d_wide", (2, 5, 4, 5), 3, 3, 3, padding=1),
    conv("2d_wide_window", (2, 6, 5, 1), 2, 4, 3),
    conv("2d_wide_strides", (2, 8, 7, 5), 3, 3, 3, stride=(2, 3), padding=(1, 2)),
    conv("2d_wide_dilations", (1, 8, 7, 5), 3, 3, 3, dilation=(2, 3), padding=((3, 0), (0, 2))),
    conv("2d_wide_all", (1, 9, 8, 10), 4, 3, 3, stride=2, padding=2, dilation=(1, 2), groups=2),
    conv("2d_wide_groups", (1, 4, 3, 32), 8, 2, 2, groups=4),
    conv("2d_wide_depthwise", (1, 4, 3, 32), 32, 2, 2, groups=32),
    conv("2d_wider_depthwise", (1, 3, 2, 130), 130, 2, 2, padding=(0, 1), groups=130),
    conv("3d_wide", (1, 3, 4, 3, 5), 2, 3, 2, 2, padding=1),
    conv("3d_wide_stride", (1, 5, 4, 5, 5), 2, 3, 2, 2, stride=(2, 1, 2), padding=1),
    conv("3d_wide_dilation", (1, 5, 4, 4, 5), 2, 3, 2, 2, dilation=(2, 1, 2), padding=(1, 0, 1)),
    conv("3d_depthwise", (1, 3, 3, 3, 3), 3, 2, 2, 2, stride=2, padding=1, groups=3),
]

TRANSPOSED = [
    transposed("1d", (2, 5, 3), 4, 3),
    transposed("1d_stride", (2, 5, 3), 4, 3, stride=2, padding=1, output_padding=1),
    transposed("1d_short", (2, 4, 3), 2, 2, stride=3),
    transposed("1d_dilation", (2, 5, 3), 2, 3, dilation=2, padding=1, bias=False),
    transposed("1d_cut", (2, 5, 3), 2, 3, stride=2, padding=((3, 1),)),
    transposed("2d", (2, 3, 4, 2), 3, 3, 2),
    transposed("2d_batch_axes", (2, 2, 3, 2, 2), 3, 2, 2, stride=2),
    transposed("2d_double", (2, 4, 3, 5), 3, 4, 4, stride=2, padding=1),
    transposed("2d_groups", (1, 3, 4, 4), 6, 3, 3, stride=(2, 1), groups=2),
    transposed("2d_depthwise", (1, 3, 4, 3), 3, 3, 3, stride=2, padding=1, groups=3),
    transposed(
        "2d_all", (1, 3, 2, 4), 2, 3, 2, stride=(2, 3), padding=(1, 2), output_padding=(1, 2),
        dilation=(2, 4), groups=2,
    ),
    transposed("2d_same", (1, 3, 4, 2), 3, 4, 3, stride=(1, 2), padding="SAME"),
    transposed("2d_same_short", (1, 3, 4, 2), 3, 1, 2, stride=3, padding="SAME"),
    transposed("2d_valid_short", (1, 3, 4, 2), 3, 3, 1, stride=2, padding="VALID"),
    transposed("2d_wide", (1, 4, 3, 20), 3, 3, 2, stride=2, padding=1),
    transposed("3d", (1, 2, 3, 2, 3), 2, 2, 3, 2, stride=(1, 2, 2), padding=(0, 1, 0)),
]  # fmt: skip

SEPARATE = [
    depthwise("depthwise_1d", (2, 7, 3), 3, padding=2, dilation=2),
    depthwise("depthwise_2d", (2, 5, 4, 2), 3, 2, multiplier=3, stride=2),
    depthwise("depthwise_2d_circular", (2, 5, 4, 2), 3, 3, padding=1, padding_mode="circular"),
    depthwise("depthwise_3d", (1, 3, 4, 3, 2), 2, 2, 2, padding=1),
    depthwise("separable_1d", (2, 7, 3), 3, padding=1, padding_mode="reflect"),
    depthwise("separable_2d", (2, 6, 5, 2), 3, 3, multiplier=2, stride=2, padding="SAME"),
    depthwise("separable_3d", (1, 3, 4, 3, 2), 2, 3, 2, dilation=(2, 1, 1)),
]

DEFORM = [
    deform("2d", (2, 5, 6, 2), 3, 3, 2, mask=False),
    deform("2d_zero", (1, 4, 5, 2), 2, 3, 2, padding=1, mask=False),
    deform("2d_mask", (2, 5, 4, 2), 2, 3, 2, padding=1, stride=2, mask=True),
    deform("2d_parts", (1, 5, 6, 4), 2, 2, 3, parts=2, mask=True, dilation=(2, 1)),
    deform(
        "2d_all", (1, 4, 5, 6), 2, 3, 2, parts=3, mask=True, stride=(1, 2), padding=(2, 0),
        dilation=2, groups=2,
    ),
    deform_by_hand("1d", (2, 7, 2), 3, 3, stride=2),
    deform_by_hand("3d", (1, 3, 4, 3, 2), 2, 2, 2, 2, stride=1),
]  # fmt: skip

FOLD = [
    unfold("1d", (2, 7, 3), 3, stride=2),
    unfold("2d", (2, 4, 5, 2), 3, 2),
    unfold("2d_all", (2, 5, 6, 2), 2, 3, stride=2, padding=1, dilation=2),
    unfold("3d", (1, 3, 4, 3, 2), 2, 2, 3),
    fold_by_hand("1d", (8,), 3, stride=2),
    fold("2d", (4, 5), (2, 4), 2, 3, 2),
    fold("2d_all", (5, 7), (3, 3), 2, 2, 3, stride=2, padding=1, dilation=2),
    fold_by_hand("3d", (3, 4, 3), 2, 2, 3, stride=1),
]

LOCAL = [
    local("1d", (2, 7, 3), 4, 3, stride=2, padding=1),
    local("2d", (2, 4, 5, 2), 3, 2, 3),
    local("2d_all", (1, 5, 5, 2), 2, 2, 2, stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
    local("3d", (1, 2, 3, 3, 2), 2, 2, 2, 2),
]

LAYERS = [*CONV_1D, *CONV_2D, *CONV_3D, *CONV_WIDE, *TRANSPOSED, *SEPARATE, *LOCAL]
CASES = [
    *(as_function(c) if c.name.endswith(("_all", "_groups")) else c for c in LAYERS),
    *DEFORM,
    *FOLD,
]
