"""Kernels computed from others."""

from typing import Any

import jax
import jax.numpy as jnp

from catalogue.inputs import VECTOR
from jaxnet import nn

LAYERS = [
    ("weight-norm", nn.WeightNorm(nn.Linear(3)), VECTOR),
    # So many iterations that the vectors are the singular ones, where gradients are exact.
    ("spectral-norm", nn.SpectralNorm(nn.Linear(3), iterations=50), VECTOR),
]
# What a type checker would not let pass.
KIND: Any = nn.Linear
FUNCTION: Any = nn.tanh
NUMBER: Any = 3
KEY, KERNEL = jax.random.key(0), jnp.ones((3, 4))
WEIGHT, SPECTRAL = nn.WeightNorm(nn.Linear(3)), nn.SpectralNorm(nn.Linear(3))


def init(layer):
    return lambda: layer.init(KEY, VECTOR)


def without(layer, name):
    def call():
        params = layer.init(KEY, VECTOR)
        del params[name]
        layer(params, VECTOR)

    return call


MISTAKES = [
    ("nn.weight_norm", lambda: nn.weight_norm(KERNEL, jnp.ones(3)), "magnitude", "(4,)", "[3]"),
    ("nn.weight_norm", lambda: nn.weight_norm(jnp.ones(4), jnp.ones(4)), "direction", "2 axes"),
    ("nn.weight_norm", lambda: nn.weight_norm(KERNEL, jnp.ones(())), "magnitude", "(4,)"),
    ("nn.weight_norm", lambda: nn.weight_norm(KERNEL.astype(int), jnp.ones(4)), "floating point"),
    (
        "nn.spectral_norm",
        lambda: nn.spectral_norm(KERNEL, jnp.ones(3), jnp.ones(3)),
        "u of spectral_norm",
        "(4,)",
    ),
    (
        "nn.spectral_norm",
        lambda: nn.spectral_norm(KERNEL, jnp.ones(4), jnp.ones(4)),
        "v of spectral_norm",
        "(3,)",
    ),
    (
        "nn.spectral_norm",
        lambda: nn.spectral_norm(jnp.ones(4), jnp.ones(4), jnp.ones(4)),
        "kernel of spectral_norm",
        "2 axes",
    ),
    ("nn.WeightNorm", lambda: nn.WeightNorm(KIND), "one by one", "write Linear(…)"),
    ("nn.WeightNorm", lambda: nn.WeightNorm(nn.Linear(3), FUNCTION), "patterns", "Sequential"),
    ("nn.WeightNorm", init(nn.WeightNorm(nn.Linear(3), "kernels")), "'kernels'", "'kernel'"),
    ("nn.WeightNorm", init(nn.WeightNorm(nn.Linear(3), "*")), "bias", "narrower patterns"),
    (
        "nn.WeightNorm",
        without(WEIGHT, "kernel_magnitude"),
        "missing",
        "kernel_magnitude",
        "float32[3]",
    ),
    ("nn.SpectralNorm", lambda: nn.SpectralNorm(nn.Linear(3), iterations=0), "iterations"),
    ("nn.SpectralNorm", lambda: nn.SpectralNorm(nn.Linear(3), eps=0.0), "eps of SpectralNorm"),
    ("nn.SpectralNorm", init(nn.SpectralNorm(nn.Linear(3), "head/*")), "'head/*'", "matches no"),
    ("nn.SpectralNorm", without(SPECTRAL, "stats"), "missing", "stats/kernel/u", "stats/kernel/v"),
    (
        "nn.SpectralNorm",
        lambda: SPECTRAL(SPECTRAL.init(KEY, VECTOR), VECTOR, key=NUMBER),
        "random key",
        "jax.random.key(0)",
    ),
]
