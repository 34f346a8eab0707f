"""Dropout."""

from catalogue.inputs import VECTOR
from jaxnet import nn

LAYERS = [
    ("dropout", nn.Dropout(0.5), VECTOR),
    ("dropout-0", nn.Dropout(0.0), VECTOR),
]
MISTAKES = []
