"""Pooling."""

from catalogue.inputs import IMAGE, SEQUENCE, VOLUME
from jaxnet import nn

LAYERS = [
    ("max-pool-1d", nn.MaxPool((3,), stride=2), SEQUENCE),
    ("max-pool-2d", nn.MaxPool(2, stride=1, padding="SAME"), IMAGE),
    ("max-pool-3d", nn.MaxPool((2, 2, 1)), VOLUME),
    ("avg-pool-1d", nn.AvgPool((3,), stride=2, padding=1), SEQUENCE),
    ("avg-pool-2d", nn.AvgPool(2, padding="SAME", count_include_pad=False), IMAGE),
    ("avg-pool-3d", nn.AvgPool((2, 2, 1)), VOLUME),
]
MISTAKES = []
