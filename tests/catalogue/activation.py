"""Activations."""

from catalogue.inputs import VECTOR
from jaxnet import nn

LAYERS = [
    ("activations", nn.Sequential(nn.glu, nn.gelu, nn.leaky_relu), VECTOR),
    ("activations-more", nn.Sequential(nn.gelu_tanh, nn.relu, nn.softmax), VECTOR),
]
MISTAKES = []
