"""Resizing."""

import jax.numpy as jnp

from catalogue.inputs import IMAGE, SEQUENCE, VECTOR
from jaxnet import nn

LAYERS = [
    ("resize-nearest", nn.Resize((8, 4)), IMAGE),
    ("resize-linear", nn.Resize(scale=(1.5,), method="linear"), SEQUENCE),
    ("resize-antialias", nn.Resize(3, method="cubic", antialias=True), IMAGE),
]


def resize(*size, **options):
    return lambda: nn.resize(IMAGE, *size, **options)


MISTAKES = [
    ("nn.resize", resize(), "either size or scale", "give one"),
    ("nn.resize", resize(4, scale=2), "either size or scale", "size=4"),
    ("nn.resize", resize(0), "size of resize", "at least 1"),
    ("nn.resize", resize((1, 2, 3, 4)), "size of resize", "1 to 3 ints"),
    ("nn.resize", resize(scale=-1.0), "scale of resize", "positive", "-1.0"),
    ("nn.resize", resize(scale=0.1), "(5, 6) to (0, 0)", "larger input or scale"),
    ("nn.resize", resize(4, method="bilinear"), "method='bilinear'", "'linear'"),
    ("nn.resize", resize(4, coordinates="corners"), "coordinates='corners'", "align_corners"),
    ("nn.resize", resize(4, rounding="round"), "rounding='round'", "there are"),
    ("nn.resize", resize(4, antialias=True), "antialias=True", "method='nearest'", "linear"),
    ("nn.resize", resize(4, method="linear", cubic=-0.5), "cubic=-0.5", "leave it out"),
    ("nn.resize", resize(4, method="area", coordinates="asymmetric"), "means nothing", "'area'"),
    ("nn.resize", resize(4, method="linear", rounding="ceil"), "rounding='ceil'", "nearest"),
    ("nn.resize", lambda: nn.resize(VECTOR, 4), "input of resize", "2 spatial axes", "[2,4]"),
    (
        "nn.resize",
        lambda: nn.resize(jnp.ones((4, 4, 3), int), 2, method="linear"),
        "input of resize must be floating point",
        "astype",
    ),
    ("nn.Resize", nn.Resize, "either size or scale"),
    ("nn.Resize", lambda: nn.Resize(4, method="cubik"), "method='cubik'", "'cubic'"),
]
