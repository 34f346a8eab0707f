"""Linear maps."""

from catalogue.inputs import SEQUENCE, VECTOR
from jaxnet import nn

LAYERS = [
    ("linear", nn.Linear(3), VECTOR),
    ("linear-no-bias", nn.Linear(3, bias=False, initializer="flax"), SEQUENCE),
    ("linear-keras", nn.Linear(3, initializer="keras"), VECTOR),
]
MISTAKES = []
