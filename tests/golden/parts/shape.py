"""Shapes."""

from typing import Any

from case import Case, first, last
from torch import Tensor
from torch.nn import functional as F


def blocks(x: Tensor, b: int, order: str) -> Tensor:
    """ONNX's SpaceToDepth is DCR; PyTorch's pixel_unshuffle is CRD."""
    y = last(F.pixel_unshuffle(first(x), b))
    if order == "CRD":
        return y
    return y.unflatten(-1, (x.shape[-1], b * b)).transpose(-1, -2).flatten(-2)


def unblocks(x: Tensor, b: int, order: str) -> Tensor:
    if order == "DCR":
        x = x.unflatten(-1, (b * b, -1)).transpose(-1, -2).flatten(-2)
    return last(F.pixel_shuffle(first(x), b))


def volume(p: dict[str, Tensor], x: Tensor) -> Tensor:
    """Blocks of 2 x 1 x 3, by views."""
    y = x.reshape(1, 2, 2, 3, 2, 3, 2).permute(0, 1, 3, 4, 2, 5, 6)
    return y.reshape(1, 2, 3, 2, 12)


def call(name: str, fn: str, reference: Any, size: tuple[int, ...], /, **options: Any) -> Case:
    return Case(name, fn, lambda p, x: reference(x), (size,), options)


CASES = [
    call("flatten", "nn.Flatten", lambda x: x.flatten(1), (2, 3, 4, 2)),
    call("flatten_2", "nn.Flatten", lambda x: x.flatten(2), (2, 3, 4, 2), axes=2),
    call("unflatten", "nn.Unflatten", lambda x: x.unflatten(-1, (2, 3)), (2, 5, 6), shape=[2, 3]),
    call("unflatten_rest", "nn.Unflatten", lambda x: x.unflatten(-1, (-1, 3)), (6,), shape=[-1, 3]),
    call(
        "channel_shuffle",
        "nn.channel_shuffle",
        shuffled := lambda x: last(F.channel_shuffle(first(x), 3)),
        (2, 2, 3, 6),
        groups=3,
    ),
    call("channel_shuffle_layer", "nn.ChannelShuffle", shuffled, (2, 2, 3, 6), groups=3),
    call(
        "pixel_shuffle",
        "nn.pixel_shuffle",
        lambda x: unblocks(x, 2, "CRD"),
        (2, 3, 2, 12),
        factor=2,
    ),
    call(
        "pixel_shuffle_layer",
        "nn.PixelShuffle",
        lambda x: unblocks(x, 3, "CRD"),
        (1, 1, 2, 18),
        factor=3,
    ),
    call(
        "pixel_unshuffle",
        "nn.pixel_unshuffle",
        lambda x: blocks(x, 2, "CRD"),
        (2, 4, 6, 3),
        factor=2,
    ),
    call(
        "pixel_unshuffle_layer",
        "nn.PixelUnshuffle",
        lambda x: blocks(x, 3, "CRD"),
        (1, 3, 6, 2),
        factor=3,
    ),
    call(
        "space_to_depth", "nn.space_to_depth", lambda x: blocks(x, 2, "DCR"), (2, 4, 6, 3), block=2
    ),
    call(
        "space_to_depth_crd",
        "nn.space_to_depth",
        lambda x: blocks(x, 2, "CRD"),
        (2, 4, 6, 3),
        block=2,
        order="CRD",
    ),
    Case(
        "space_to_depth_3d", "nn.space_to_depth", volume, ((1, 4, 3, 6, 2),), {"block": [2, 1, 3]}
    ),
    call(
        "depth_to_space",
        "nn.depth_to_space",
        lambda x: unblocks(x, 2, "DCR"),
        (2, 3, 2, 12),
        block=2,
    ),
    call(
        "depth_to_space_crd",
        "nn.depth_to_space",
        lambda x: unblocks(x, 2, "CRD"),
        (2, 3, 2, 12),
        block=2,
        order="CRD",
    ),
]
