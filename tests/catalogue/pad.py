"""Padding."""
# pyright: reportArgumentType=false

import jax.numpy as jnp

from catalogue.inputs import IMAGE, SEQUENCE, VECTOR
from jaxnet import nn

LAYERS = [
    ("pad", nn.Pad(((1, 2), (-1, 0)), value=0.5), IMAGE),
    ("pad-reflect", nn.Pad((2,), mode="reflect"), SEQUENCE),
    ("pad-circular", nn.Pad(((1, -2),), mode="circular"), SEQUENCE),
]
MISTAKES = [
    ("nn.pad", lambda: nn.pad(jnp.ones((2, 3, 3, 1), int), 1, value=0.5), "value of pad", "astype"),
    ("nn.pad", lambda: nn.pad(VECTOR, 1), "input of pad", "2 spatial axes", "float32[2,4]"),
    ("nn.pad", lambda: nn.pad(IMAGE, (1, 1, 1, 1)), "widths of pad", "one pair (low, high)"),
    ("nn.pad", lambda: nn.pad(IMAGE, ((1, 2, 3),)), "widths of pad", "((1, 2, 3),)"),
    ("nn.pad", lambda: nn.pad(IMAGE, 1, mode="reflct"), "mode='reflct'", "'reflect'"),
    ("nn.pad", lambda: nn.pad(SEQUENCE, (7,), mode="reflect"), "at most 6", "(7, 7)"),
    ("nn.pad", lambda: nn.pad(SEQUENCE, ((-3, 5),), mode="circular"), "at most 4", "(-3, 5)"),
    ("nn.pad", lambda: nn.pad(SEQUENCE, (-4,)), "widths of pad are (-4, -4)", "only 7", "cut less"),
    (
        "nn.pad",
        lambda: nn.pad(IMAGE, 1, mode="replicate", value=2.0),
        "value of pad",
        "leave value",
    ),
    ("nn.pad", lambda: nn.pad(jnp.ones((2, 0, 3)), (1,), mode="replicate"), "axis has only 0"),
    ("nn.Pad", lambda: nn.Pad(1.5), "widths of pad", "1.5"),
    ("nn.Pad", lambda: nn.Pad(1, mode="zeros"), "mode='zeros'", "'constant'"),
    ("nn.center_crop_pad", lambda: nn.center_crop_pad(VECTOR, 4), "center_crop_pad", "[2,4]"),
    ("nn.center_crop_pad", lambda: nn.center_crop_pad(IMAGE, 0), "size of center_crop_pad", "0"),
]
