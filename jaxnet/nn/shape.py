"""Changing shapes."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_size
from jaxnet.core.layer import Layer


class Flatten(Layer):
    """Makes features of the last ``axes`` axes, by default an image's height, width and channels.

    Counting from the end leaves any batch axes alone: ``[..., H, W, C] -> [..., H * W * C]``.

    >>> Flatten()({}, jnp.ones((2, 4, 4, 3))).shape
    (2, 48)
    """

    axes: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.axes, "axes of Flatten")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_axes(x, self.axes, f"the input of Flatten({self.axes})")
        batch = x.shape[: x.ndim - self.axes]
        return jnp.reshape(x, (*batch, math.prod(x.shape[x.ndim - self.axes :])))
