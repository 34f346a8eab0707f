"""Vectors that tell where a token stands, to be added to it: of sines, or learnt.

Positions are an array ``[..., T]``, or the number of them where they count from 0.
"""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_axes, check_float, check_positive, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array
from jaxnet.core.layer import Layer
from jaxnet.nn.embed import embed
from jaxnet.nn.initializers import Init, Normal, embedding

type Positions = int | jax.Array

# GPT-2's, and near enough to T5's.
small = Normal(0.02)


def as_positions(given: Positions, what: str) -> jax.Array:
    """Positions as an array ``[..., T]``; raises ValueError for what is none."""
    if not is_array(given):
        check_size(given, f"{what}, where it is no array,")
        return jnp.arange(given)
    positions = jnp.asarray(given)
    if not positions.ndim or not jnp.issubdtype(positions.dtype, jnp.number):
        raise ValueError(
            f"{what} must be numbers [..., T], but is {describe(given)}; "
            "for one position give an array of one: jnp.array([5])"
        )
    return positions


def float_dtype(positions: jax.Array) -> Any:
    """What is computed from positions: of their dtype if they are floats, else the default."""
    is_float = jnp.issubdtype(positions.dtype, jnp.floating)
    return positions.dtype if is_float else jnp.result_type(float)


def sinusoidal(
    positions: Positions, features: int, *, base: float = 10_000.0, interleaved: bool = True
) -> jax.Array:
    """Sines and cosines of positions: ``[..., T]`` to ``[..., T, features]`` (arXiv:1706.03762).

    Pair i has the angle ``positions * base**(-2i / features)``. ``interleaved`` puts its sine and
    cosine side by side, as in the paper; otherwise all sines come first. Positions may be real
    numbers, such as the times of a diffusion. Raises ValueError for bad options.

    >>> sinusoidal(2, 4).round(3)
    Array([[0.   , 1.   , 0.   , 1.   ],
           [0.841, 0.54 , 0.01 , 1.   ]], dtype=float32)
    """
    positions = as_positions(positions, "positions of sinusoidal")
    check_size(features, "features of sinusoidal")
    check_positive(base, "base of sinusoidal")
    if features % 2 and not interleaved:
        raise ValueError(
            f"features of sinusoidal is {features}, but must be even with interleaved=False: "
            "one half are sines, the other cosines"
        )
    dtype = float_dtype(positions)
    wide = positions.astype(at_least_float32(positions, jnp.zeros((), dtype)))
    waves = jnp.asarray(float(base) ** -(np.arange(0, features, 2) / features), wide.dtype)
    angles = jnp.expand_dims(wide, -1) * waves.reshape((1,) * wide.ndim + waves.shape)
    pair = jnp.sin(angles), jnp.cos(angles)
    if not interleaved:
        return jnp.concatenate(pair, -1).astype(dtype)
    both = jnp.stack(pair, -1).reshape(*positions.shape, -1)
    return both[..., :features].astype(dtype)


class SinusoidalPosition(Layer):
    """Adds ``sinusoidal`` positions to a sequence: ``[..., T, D] -> [..., T, D]``.

    ``positions [T]`` or ``[..., T]`` count from 0 if not given.

    >>> SinusoidalPosition()({}, jnp.zeros((2, 4))).round(3)
    Array([[0.   , 1.   , 0.   , 1.   ],
           [0.841, 0.54 , 0.01 , 1.   ]], dtype=float32)
    """

    _: KW_ONLY
    base: float = 10_000.0
    interleaved: bool = True

    def __call__(
        self,
        params: Any,
        x: jax.Array,
        *,
        positions: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        places = _places(x, positions, "SinusoidalPosition")
        added = sinusoidal(places, x.shape[-1], base=self.base, interleaved=self.interleaved)
        return x + jnp.broadcast_to(added, x.shape).astype(x.dtype)


class LearnedPosition(Layer):
    """Adds a learnt vector for each position: ``[..., T, D] -> [..., T, D]``.

    Leaf ``kernel [length, D]``; ``initializer`` as in ``Embed``, by default normal with deviation
    0.02, as in GPT-2. ``positions [T]`` or ``[..., T]`` count from 0 if not given.
    Raises ValueError for positions from ``length`` on; where ``jit`` hides them they give NaN.

    >>> layer = LearnedPosition(16)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 8)))
    >>> layer(params, jnp.ones((2, 5, 8))).shape
    (2, 5, 8)
    """

    length: int
    _: KW_ONLY
    initializer: Init = small

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.length, "length of LearnedPosition")

    def __call__(
        self,
        params: Any,
        x: jax.Array,
        *,
        positions: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        places = _places(x, positions, "LearnedPosition")
        if positions is None and x.shape[-2] > self.length:
            raise ValueError(
                f"the input of LearnedPosition is {describe(x)}, a sequence of {x.shape[-2]}, but "
                f"only {self.length} positions are learnt; cut it, or make length larger"
            )
        shape = (self.length, x.shape[-1])
        kernel = param(params, "kernel", shape, embedding(self.initializer))
        return x + jnp.broadcast_to(embed(places, kernel), x.shape)


def _places(x: jax.Array, positions: jax.Array | None, layer: str) -> jax.Array:
    check_float(x, f"the input of {layer}")
    check_axes(x, 2, f"the input of {layer}")
    places = as_positions(x.shape[-2] if positions is None else positions, f"positions of {layer}")
    if places.shape not in (x.shape[:-1], x.shape[-2:-1]):
        raise ValueError(
            f"positions of {layer} is {describe(places)}, but an input {describe(x)} needs one "
            f"for each token: {list(x.shape[-2:-1])} or {list(x.shape[:-1])}"
        )
    return places
