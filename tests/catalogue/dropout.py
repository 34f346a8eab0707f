"""Dropout and noise."""

# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp

from catalogue.inputs import IMAGE, VECTOR
from jaxnet import nn

LAYERS = [
    ("dropout", nn.Dropout(0.5), VECTOR),
    ("dropout-0", nn.Dropout(0.0), VECTOR),
    ("dropout-share", nn.Dropout(0.5, share=(-3, -2)), IMAGE),
    ("alpha-dropout", nn.AlphaDropout(0.5), VECTOR),
    ("drop-path", nn.DropPath(0.5), VECTOR),
    ("gaussian-dropout", nn.GaussianDropout(0.5), VECTOR),
    ("gaussian-noise", nn.GaussianNoise(0.5), VECTOR),
]

key = jax.random.key(0)
WHOLE = jnp.ones((2, 4), int)
RATE = ("the share to drop, at least 0 and below 1", "to keep 90 % give 0.1")
MISTAKES = [
    ("nn.dropout", lambda: nn.dropout(VECTOR, 1.0, key), *RATE),
    ("nn.dropout", lambda: nn.dropout(VECTOR, 0.5, jnp.ones(2)), "a random key was needed"),
    ("nn.dropout", lambda: nn.dropout(WHOLE, 0.5, key), "the input of dropout must be floating"),
    ("nn.dropout", lambda: nn.dropout(VECTOR, 0.5, key, share=(1,)), "share of dropout", "(1,)"),
    (
        "nn.dropout",
        lambda: nn.dropout(VECTOR, 0.5, key, share=(-3,)),
        "share=(-3,) of dropout counts axes from the end",
        "has only 2",
    ),
    ("nn.Dropout", lambda: nn.Dropout(-0.1), *RATE, "but is -0.1"),
    ("nn.Dropout", lambda: nn.Dropout(0.1, share=-1), "share of Dropout must be a tuple", "-1"),
    ("nn.alpha_dropout", lambda: nn.alpha_dropout(VECTOR, 1.5, key), *RATE),
    ("nn.alpha_dropout", lambda: nn.alpha_dropout(WHOLE, 0.5, key), "input of alpha_dropout must"),
    ("nn.AlphaDropout", lambda: nn.AlphaDropout(2.0), *RATE),
    ("nn.AlphaDropout", lambda: nn.AlphaDropout(0.1, share=(0,)), "share of AlphaDropout"),
    ("nn.drop_path", lambda: nn.drop_path(VECTOR, 1.0, key), *RATE),
    ("nn.drop_path", lambda: nn.drop_path(VECTOR, 0.5, key, axes=0), "axes of drop_path"),
    ("nn.drop_path", lambda: nn.drop_path(VECTOR, 0.5, key, axes=3), "needs at least 3 axes"),
    ("nn.DropPath", lambda: nn.DropPath(1.0), *RATE),
    ("nn.DropPath", lambda: nn.DropPath(0.5, axes=-1), "axes of DropPath", "but is -1"),
    ("nn.gaussian_dropout", lambda: nn.gaussian_dropout(VECTOR, 1.0, key), *RATE),
    ("nn.gaussian_dropout", lambda: nn.gaussian_dropout(WHOLE, 0.5, key), "of gaussian_dropout"),
    ("nn.GaussianDropout", lambda: nn.GaussianDropout(-1.0), *RATE),
    ("nn.gaussian_noise", lambda: nn.gaussian_noise(VECTOR, -1.0, key), "deviation of Gaussian"),
    ("nn.gaussian_noise", lambda: nn.gaussian_noise(WHOLE, 1.0, key), "input of gaussian_noise"),
    ("nn.GaussianNoise", lambda: nn.GaussianNoise(-0.5), "at least 0, but is -0.5"),
]
