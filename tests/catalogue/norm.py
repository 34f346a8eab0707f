"""Normalisation."""

from catalogue.inputs import IMAGE, SEQUENCE, VECTOR
from jaxnet import nn

LAYERS = [
    ("batch-norm", nn.BatchNorm(), VECTOR),
    ("batch-norm-plain", nn.BatchNorm(scale=False, bias=False, momentum=0.3, eps=1e-3), IMAGE),
    ("layer-norm", nn.LayerNorm(), VECTOR),
    ("layer-norm-plain", nn.LayerNorm(scale=False, bias=False, eps=1e-3), SEQUENCE),
    ("rms-norm", nn.RMSNorm(), VECTOR),
    ("rms-norm-plain", nn.RMSNorm(scale=False, eps=1e-3), SEQUENCE),
]
MISTAKES = []
