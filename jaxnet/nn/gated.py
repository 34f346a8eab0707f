"""Activations that halve the last axis, or another: one half gates the other.

``glu`` has its gate in the second half, as in PyTorch. Its relations (arXiv:2002.05202) have it in
the first, as the papers and the feed-forward layers of today's language models do.
"""

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axis, check_float, check_size
from jaxnet.core.errors import describe
from jaxnet.nn.activation import gelu, swish
from jaxnet.nn.rectifier import relu


def glu(x: jax.Array, *, axis: int = -1) -> jax.Array:
    """``value * sigmoid(gate)``, of a value and then a gate: ``[..., 2 D] -> [..., D]``.

    The gated linear unit of arXiv:1612.08083. Raises ValueError unless the axis has an even size.

    >>> glu(jnp.array([3.0, 0.0]))
    Array([1.5], dtype=float32)
    """
    value, gate = _halves(x, axis, "glu")
    return value * jax.nn.sigmoid(gate)


def swiglu(x: jax.Array, *, beta: float = 1.0, axis: int = -1) -> jax.Array:
    """``swish(gate) * value``, of a gate and then a value: ``[..., 2 D] -> [..., D]``.

    Raises ValueError unless the axis has an even size.

    >>> swiglu(jnp.array([20.0, 3.0]))
    Array([60.], dtype=float32)
    """
    gate, value = _halves(x, axis, "swiglu")
    return swish(gate, beta=beta) * value


def geglu(x: jax.Array, *, axis: int = -1) -> jax.Array:
    """``gelu(gate) * value``, of a gate and then a value: ``[..., 2 D] -> [..., D]``.

    Raises ValueError unless the axis has an even size.

    >>> geglu(jnp.array([20.0, 3.0]))
    Array([60.], dtype=float32)
    """
    gate, value = _halves(x, axis, "geglu")
    return gelu(gate) * value


def reglu(x: jax.Array, *, axis: int = -1) -> jax.Array:
    """``relu(gate) * value``, of a gate and then a value: ``[..., 2 D] -> [..., D]``.

    Raises ValueError unless the axis has an even size.

    >>> reglu(jnp.array([20.0, 3.0]))
    Array([60.], dtype=float32)
    """
    gate, value = _halves(x, axis, "reglu")
    return relu(gate) * value


def bilinear_glu(x: jax.Array, *, axis: int = -1) -> jax.Array:
    """``gate * value``, a gate without activation: ``[..., 2 D] -> [..., D]``.

    Raises ValueError unless the axis has an even size.

    >>> bilinear_glu(jnp.array([20.0, 3.0]))
    Array([60.], dtype=float32)
    """
    gate, value = _halves(x, axis, "bilinear_glu")
    return gate * value


def maxout(x: jax.Array, pieces: int, *, axis: int = -1) -> jax.Array:
    """The largest of each ``pieces`` neighbours: ``[..., D * pieces] -> [..., D]``.

    With a linear map before it, a learnt convex activation (arXiv:1302.4389).
    Raises ValueError unless ``pieces`` divides the size of the axis.

    >>> maxout(jnp.array([3.0, 1.0, -2.0, -1.0]), 2)
    Array([ 3., -1.], dtype=float32)
    """
    check_float(x, "the input of maxout")
    check_axis(x, axis, "maxout")
    check_size(pieces, "pieces of maxout")
    axis %= x.ndim
    size = x.shape[axis]
    if size % pieces:
        raise ValueError(
            f"axis {axis} of the input {describe(x)} of maxout has the size {size}, which "
            f"pieces={pieces} does not divide"
        )
    shape = (*x.shape[:axis], size // pieces, pieces, *x.shape[axis + 1 :])
    return x.reshape(shape).max(axis + 1)


def _halves(x: jax.Array, axis: int, what: str) -> list[jax.Array]:
    check_float(x, f"the input of {what}")
    check_axis(x, axis, what)
    if x.shape[axis] % 2:
        raise ValueError(
            f"axis {axis} of the input of {what} is cut in two halves, so its size must be even, "
            f"but the input is {describe(x)}; make twice as many features before it"
        )
    return jnp.split(x, 2, axis)
