"""Residual networks of images (arXiv:1512.03385), the larger with its stride in the 3x3 kernel."""

from dataclasses import KW_ONLY
from typing import Any

import jax

from jaxnet import nn


class ConvNorm(nn.Layer):
    """A convolution without bias, then batch normalisation."""

    features: int
    size: int
    _: KW_ONLY
    stride: int = 1

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        pads = self.size // 2
        conv = nn.Conv(self.features, self.size, stride=self.stride, padding=pads, bias=False)
        return nn.BatchNorm()(params["norm"], conv(params["conv"], x), key=key)


class Block(nn.Layer):
    """What is learnt beside the input: two 3x3 kernels, or with ``wide`` three in a bottleneck."""

    features: int
    stride: int = 1
    wide: bool = False

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        if self.wide:
            parts = [(self.features, 1, 1), (self.features, 3, self.stride), (self.outputs, 1, 1)]
        else:
            parts = [(self.features, 3, self.stride), (self.features, 3, 1)]
        y = x
        for i, (features, size, stride) in enumerate(parts):
            part = ConvNorm(features, size, stride=stride)
            y = part(params[str(i)], y if i == 0 else nn.relu(y), key=key)
        if x.shape != y.shape:
            x = ConvNorm(self.outputs, 1, stride=self.stride)(params["short"], x, key=key)
        return nn.relu(x + y)

    @property
    def outputs(self) -> int:
        """How many features it makes."""
        return 4 * self.features if self.wide else self.features


def stages(*depths: int, wide: bool) -> list[nn.Layer]:
    """Blocks of 64, 128, 256 and 512 features, each number half as large as the one before."""
    return [
        Block(64 * 2**stage, 2 if stage and not i else 1, wide)
        for stage, depth in enumerate(depths)
        for i in range(depth)
    ]


def resnet18(classes: int) -> nn.Sequential:
    """For small images, with a 3x3 stem and no pooling: ``[B, 32, 32, 3] -> [B, classes]``."""
    stem = ConvNorm(64, 3), nn.relu
    blocks = stages(2, 2, 2, 2, wide=False)
    return nn.Sequential(*stem, *blocks, nn.GlobalAvgPool(), nn.Linear(classes))


def resnet50(classes: int) -> nn.Sequential:
    """For large images, with bottlenecks: ``[B, 224, 224, 3] -> [B, classes]``."""
    stem = ConvNorm(64, 7, stride=2), nn.relu, nn.MaxPool(3, stride=2, padding=1)
    blocks = stages(3, 4, 6, 3, wide=True)
    return nn.Sequential(*stem, *blocks, nn.GlobalAvgPool(), nn.Linear(classes))
