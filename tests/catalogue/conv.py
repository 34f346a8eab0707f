"""Convolutions."""

from catalogue.inputs import IMAGE, SEQUENCE, VOLUME
from jaxnet import nn

LAYERS = [
    ("conv-1d-reflect", nn.Conv(3, (3,), padding=1, padding_mode="reflect"), SEQUENCE),
    ("conv-1d-replicate", nn.Conv(3, (2,), padding=1, padding_mode="replicate"), SEQUENCE),
    ("conv-1d-causal", nn.Conv(3, (2,), padding="CAUSAL", dilation=2), SEQUENCE),
    ("conv-2d", nn.Conv(3, 2, stride=(1, 2), padding="SAME", bias=False), IMAGE),
    ("conv-2d-groups", nn.Conv(4, (2, 3), groups=2, initializer="keras"), IMAGE),
    ("conv-2d-circular", nn.Conv(3, 2, padding=((1, 0), (0, 2)), padding_mode="circular"), IMAGE),
    ("conv-3d", nn.Conv(3, (2, 1, 2)), VOLUME),
]
MISTAKES = []
