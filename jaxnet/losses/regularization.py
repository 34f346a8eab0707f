"""Penalties on parameters, to add to a loss: ``loss + 1e-4 * l2(params, "**/kernel")``."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core import stats, tree
from jaxnet.core.dtypes import at_least_float32
from jaxnet.losses.regression import absolute


def l1(params: dict[str, Any], *patterns: str) -> jax.Array:
    """``sum |w|`` over all entries of the leaves whose path matches one of the patterns.

    A sum, not a mean, and at least float32; its derivative is 0 where ``w = 0``. Statistics
    (leaves under ``"stats"``) are never included. Raises ValueError without patterns and for one
    that matches nothing.

    >>> l1({"kernel": jnp.array([1.0, -2.0]), "bias": jnp.ones(1)}, "**/kernel")
    Array(3., dtype=float32)
    """
    return _penalty(absolute, params, patterns, "l1")


def l2(params: dict[str, Any], *patterns: str) -> jax.Array:
    """``sum w^2`` over all entries of the leaves whose path matches one of the patterns.

    There is no factor of 1/2 and no root: the derivative in ``w`` is ``2 w``, as for Keras's
    ``L2``, and ``0.5 * l2(…)`` is what SGD's weight decay descends in PyTorch. Otherwise as ``l1``.

    >>> l2({"kernel": jnp.array([1.0, -2.0]), "bias": jnp.ones(1)}, "**/kernel")
    Array(5., dtype=float32)
    """
    return _penalty(jnp.square, params, patterns, "l2")


def _penalty(
    each: Callable[[jax.Array], jax.Array],
    params: dict[str, Any],
    patterns: tuple[str, ...],
    name: str,
) -> jax.Array:
    if not patterns:
        raise ValueError(
            f"{name} needs the paths that it penalises, such as {name}(params, '**/kernel'); "
            f"{name}(params, '**') takes all parameters, biases among them"
        )
    weights, _ = stats.divide(params)
    chosen = tree.flatten(tree.select(weights, *patterns))
    leaves = [leaf for path, leaf in tree.flatten(weights).items() if chosen[path]]
    dtype = at_least_float32(*leaves)
    sums = [each(leaf.astype(dtype)).sum() for leaf in leaves]
    return functools.reduce(jnp.add, sums) if sums else jnp.zeros((), dtype)
