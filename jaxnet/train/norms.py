"""How large gradients are, and whether they are numbers at all."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core import tree
from jaxnet.train.precision import widened


def leaf_norms(grads: Any) -> dict[str, jax.Array]:
    """The norm of each leaf, by path, in at least float32.

    >>> leaf_norms({"w": jnp.array([3.0, 4.0])})
    {'w': Array(5., dtype=float32)}
    """
    return {
        path: jnp.sqrt(jnp.square(jnp.abs(grad)).sum())
        for path, grad in tree.flatten(widened(grads)).items()
    }


def all_norms(grads: Any) -> dict[str, jax.Array]:
    """``"grad_norm"`` of all leaves together, and ``"grad_norm/<path>"`` of each."""
    norms = leaf_norms(grads)
    whole = jnp.sqrt(jnp.square(jnp.stack(list(norms.values()))).sum())
    return {"grad_norm": whole} | {f"grad_norm/{path}": norm for path, norm in norms.items()}


def is_finite(values: Any) -> jax.Array:
    """Whether no entry of any leaf is NaN or infinite.

    >>> is_finite((jnp.ones(2), jnp.array([1.0, jnp.inf])))
    Array(False, dtype=bool)
    """
    return jnp.stack([jnp.isfinite(x).all() for x in jax.tree.leaves(values)]).all()
