"""Shapes."""

from catalogue.inputs import IMAGE, SEQUENCE
from jaxnet import nn

LAYERS = [
    ("flatten", nn.Flatten(), IMAGE),
    ("flatten-2", nn.Flatten(2), SEQUENCE),
]
MISTAKES = []
