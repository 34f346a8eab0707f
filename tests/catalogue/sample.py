"""Sampling at points."""

import jax.numpy as jnp

from catalogue.inputs import IMAGE, normal
from jaxnet import nn

GRID = normal(2, 3, 3, 2)
MISTAKES = [
    ("nn.grid_sample", lambda: nn.grid_sample(IMAGE, GRID[:1]), "same batch axes", "[1,3,3,2]"),
    ("nn.grid_sample", lambda: nn.grid_sample(IMAGE, normal(2, 4)), "1 to 3 coordinates", "[2,4]"),
    ("nn.grid_sample", lambda: nn.grid_sample(IMAGE[0, 0, 0], GRID), "[..., *spatial, C]"),
    ("nn.grid_sample", lambda: nn.grid_sample(IMAGE, jnp.ones((2, 3, 2), int)), "grid of", "float"),
    ("nn.grid_sample", lambda: nn.grid_sample(jnp.ones((4, 4, 1), int), GRID), "input of", "float"),
    ("nn.grid_sample", lambda: nn.grid_sample(IMAGE, GRID, mode="bicubic"), "mode=", "'cubic'"),
    ("nn.grid_sample", lambda: nn.grid_sample(IMAGE, GRID, padding="reflect"), "'reflection'"),
    ("nn.grid_sample", lambda: nn.grid_sample(IMAGE[:, :0], GRID), "nothing to look up"),
    ("nn.affine_grid", lambda: nn.affine_grid(jnp.eye(3), 4), "[..., 2, 3]", "float32[3,3]"),
    ("nn.affine_grid", lambda: nn.affine_grid(jnp.eye(2, 3), (2, 3, 4, 4)), "size of affine_grid"),
    ("nn.affine_grid", lambda: nn.affine_grid(jnp.eye(2, 3, dtype=int), 4), "theta", "floating"),
    ("nn.affine_grid", lambda: nn.affine_grid(jnp.eye(2, 3), (1, 3, 4)), "without batch"),
]
