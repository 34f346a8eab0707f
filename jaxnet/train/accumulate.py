"""The gradient of a batch in parts, one after the other: the memory of one part."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core import threefry
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe


def accumulated(gradient: Callable[..., Any], parts: int) -> Callable[..., Any]:
    """``gradient(params, batch, key, …)``, computed on ``parts`` of the batch and averaged.

    The sums are kept in at least float32; the means have the dtype of one part's results, or
    float32 where these are no floating-point numbers.
    Raises ValueError for a batch whose size cannot be divided.
    """

    def in_parts(params: Any, batch: Any, key: jax.Array, *rest: Any) -> Any:
        batch, keys = divided(batch, key, parts)

        def of_part(part: tuple[Any, jax.Array]) -> Any:
            return gradient(params, *part, *rest)

        def add(totals: Any, part: tuple[Any, jax.Array]) -> tuple[Any, None]:
            return jax.tree.map(lambda t, x: t + x.astype(t.dtype), totals, of_part(part)), None

        first = jax.eval_shape(lambda: of_part(jax.tree.map(lambda x: x[0], (batch, keys))))
        totals, _ = jax.lax.scan(add, jax.tree.map(_zeros, first), (batch, keys))
        return jax.tree.map(lambda total, x: _mean(total, parts, x.dtype), totals, first)

    return in_parts


def divided(batch: Any, key: jax.Array, parts: int) -> tuple[Any, jax.Array]:
    """The parts of a batch and their keys, along a first axis of ``parts``.

    Raises ValueError for a batch whose size cannot be divided.
    """
    for leaf in jax.tree.leaves(batch):
        if not leaf.shape or leaf.shape[0] % parts:
            raise ValueError(
                f"accumulate={parts} needs a batch whose size it divides, but the batch holds "
                f"{describe(leaf)}"
            )
    # A view: the parts are contiguous, and each is read where it lies.
    batch = jax.tree.map(lambda x: x.reshape(parts, x.shape[0] // parts, *x.shape[1:]), batch)
    return batch, threefry.split(key, parts)


def _zeros(x: jax.ShapeDtypeStruct) -> jax.Array:
    is_complex = jnp.issubdtype(x.dtype, jnp.complexfloating)
    return jnp.zeros(x.shape, x.dtype if is_complex else at_least_float32(x))


def _mean(total: jax.Array, parts: int, dtype: Any) -> jax.Array:
    return (total / parts).astype(dtype if jnp.issubdtype(dtype, jnp.inexact) else total.dtype)
