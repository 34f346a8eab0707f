"""The cases of layers.safetensors, in jaxnet's terms: one list for script and test.

The script stores each case's configuration in the file's metadata, where the test reads it.
"""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Case:
    """``call`` is jaxnet's name for a layer (CapWords) or a function, ``options`` its arguments.

    ``shape`` is the input's, features last; a case in training has batch statistics.
    """

    name: str
    call: str
    shape: tuple[int, ...]
    options: dict[str, Any]
    train: bool = False


def case(name: str, call: str, shape: tuple[int, ...], **options: Any) -> Case:
    return Case(name, call, shape, options)


MODES = ("zeros", "reflect", "replicate", "circular")


def conv(name: str, shape: tuple[int, ...], features: int, *size: int, **options: Any) -> Case:
    return case(f"conv_{name}", "Conv", shape, features=features, kernel_size=size, **options)


def pool(name: str, call: str, shape: tuple[int, ...], *window: int, **options: Any) -> Case:
    return case(f"{call}_{name}", call, shape, window=window, **options)


LINEAR = [
    case("linear", "Linear", (4, 3), features=5),
    case("linear_no_bias", "Linear", (4, 3), features=5, bias=False),
    case("linear_vector", "Linear", (3,), features=5),
    case("linear_leading_axes", "Linear", (2, 3, 2, 3), features=5),
    case("linear_one_feature", "Linear", (4, 1), features=1),
    case("embed", "Embed", (3, 4), vocabulary=7, features=3),
]

CONV_1D = [
    conv("1d", (2, 8, 3), 4, 3),
    conv("1d_no_bias", (2, 8, 3), 4, 3, bias=False),
    conv("1d_kernel_1", (2, 5, 3), 4, 1),
    conv("1d_whole", (2, 5, 3), 4, 5),
    conv("1d_same_even", (2, 8, 3), 4, 4, padding="SAME"),
    conv("1d_same_dilated", (2, 8, 3), 4, 3, padding="SAME", dilation=2),
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

POOL = [
    *(
        pool(name, call, shape, *window, **options)
        for call in ("max_pool", "avg_pool")
        for name, shape, window, options in (
            ("1d", (2, 6, 3), (2,), {}),
            ("1d_remainder", (2, 7, 3), (3,), {}),
            ("1d_overlap", (2, 8, 3), (3,), {"stride": 2}),
            ("1d_gaps", (2, 8, 3), (2,), {"stride": 3}),
            ("2d", (2, 4, 6, 2), (2, 2), {}),
            ("2d_overlap", (2, 5, 6, 2), (3, 2), {"stride": (2, 1)}),
            ("2d_padding", (2, 5, 6, 2), (3, 3), {"stride": 2, "padding": 1}),
            ("3d", (1, 4, 4, 2, 2), (2, 2, 2), {}),
            ("3d_padding", (1, 3, 4, 5, 1), (2, 3, 2), {"stride": 2, "padding": (1, 1, 0)}),
        )
    ),
    pool("ties", "max_pool", (2, 6, 6, 1), 3, 3, stride=2, padding=1),
    pool("1d_exclude", "avg_pool", (2, 7, 3), 3, stride=2, padding=1, count_include_pad=False),
    pool(
        "2d_exclude", "avg_pool", (2, 5, 6, 2), 3, 2, stride=2, padding=1, count_include_pad=False
    ),
    pool("3d_exclude", "avg_pool", (1, 3, 4, 3, 1), 2, 3, 2, padding=1, count_include_pad=False),
]

NORM = [
    case("layer_norm", "LayerNorm", (4, 6)),
    case("layer_norm_eps", "LayerNorm", (2, 3, 6), eps=0.1),
    case("layer_norm_no_bias", "LayerNorm", (4, 6), bias=False),
    case("layer_norm_bare", "LayerNorm", (4, 6), scale=False, bias=False),
    case("rms_norm", "RMSNorm", (4, 6)),
    case("rms_norm_eps", "RMSNorm", (2, 3, 6), eps=0.1),
    case("rms_norm_bare", "RMSNorm", (4, 6), scale=False),
    *(
        Case(f"batch_norm_{name}_{mode}", "BatchNorm", shape, options, train=mode == "train")
        for mode in ("train", "eval")
        for name, shape, options in (
            ("0d", (6, 3), {}),
            ("1d", (2, 4, 3), {"eps": 1e-3, "momentum": 0.3}),
            ("2d", (2, 3, 2, 3), {}),
            ("3d", (2, 2, 2, 2, 3), {}),
            ("bare", (6, 3), {"scale": False, "bias": False}),
        )
    ),
]

ACTIVATION = [
    case(name, name, (4, 6))
    for name in (
        "celu", "elu", "gelu", "gelu_tanh", "glu", "hard_sigmoid", "hard_swish", "hard_tanh",
        "leaky_relu", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid",
        "silu", "soft_sign", "softmax", "softplus", "swish", "tanh",
    )
]  # fmt: skip

CASES = [*LINEAR, *CONV_1D, *CONV_2D, *CONV_3D, *CONV_WIDE, *POOL, *NORM, *ACTIVATION]
