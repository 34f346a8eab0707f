"""Regions of interest."""

import jax.numpy as jnp

from catalogue.inputs import IMAGE, SEQUENCE, normal
from jaxnet import nn

BOXES = normal(2, 3, 4)
MISTAKES = [
    *(
        (name, mistake(call), *words)
        for name, call in (("nn.roi_align", nn.roi_align), ("nn.roi_pool", nn.roi_pool))
        for mistake, *words in (
            (lambda f: lambda: f(IMAGE, BOXES[0], 2), "boxes of", "[..., K, 4]", "float32[3,4]"),
            (lambda f: lambda: f(IMAGE, normal(2, 3, 5), 2), "float32[2,3,5]", "its own boxes"),
            (lambda f: lambda: f(IMAGE, BOXES, (2,)), "two axes", "size=(2,)"),
            (lambda f: lambda: f(IMAGE, BOXES, 0), "size of", "at least 1"),
            (lambda f: lambda: f(IMAGE, BOXES, 2, scale=0.0), "scale of", "above 0"),
            (lambda f: lambda: f(SEQUENCE[0], BOXES, 2), "2 spatial axes", "float32[7,4]"),
            (lambda f: lambda: f(IMAGE, jnp.ones((2, 3, 4), int), 2), "boxes of", "floating"),
        )
    ),
    ("nn.roi_align", lambda: nn.roi_align(IMAGE, BOXES, 2, samples=0), "samples of", "at least 1"),
]
