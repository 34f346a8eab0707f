"""Embeddings."""

from catalogue.inputs import IDS
from jaxnet import nn

LAYERS = [
    ("embed", nn.Embed(7, 3), IDS),
    ("embed-keras", nn.Embed(7, 3, initializer="keras"), IDS),
]
MISTAKES = []
