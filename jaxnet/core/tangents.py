"""Tangents in the rules of a ``custom_jvp`` with ``symbolic_zeros``."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp


def is_zero(tangent: Any) -> bool:
    """Whether an input does not move."""
    return isinstance(tangent, jax.custom_derivatives.SymbolicZero)


def total(along: Sequence[Callable[[Any], jax.Array]], tangents: Sequence[Any]) -> jax.Array:
    """The sum of the linear maps ``along`` each input, over those inputs that move."""
    moving = zip(along, tangents, strict=True)
    return functools.reduce(jnp.add, (to(t) for to, t in moving if not is_zero(t)))
