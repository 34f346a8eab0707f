"""What makes shares of scores, which sum to one along an axis: by default the last."""

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axis, check_float, check_key, check_positive
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.threefry import written_out
from jaxnet.nn.straight_through import straight_through


def softmax(x: jax.Array, *, axis: int = -1, mask: jax.Array | None = None) -> jax.Array:
    """``exp(x) / sum(exp(x))`` along an axis; computed in at least float32.

    ``mask``, booleans of the shape of ``x``, is True where an entry counts: the others get 0, and
    where none counts all are 0. Raises ValueError for a mask of another shape or dtype.

    >>> softmax(jnp.array([1.0, 1.0, 5.0]), mask=jnp.array([True, True, False]))
    Array([0.5, 0.5, 0. ], dtype=float32)
    """
    wide = _wide(x, axis, "softmax")
    if mask is None:
        return jax.nn.softmax(wide, axis).astype(x.dtype)
    if mask.shape != x.shape or mask.dtype != bool:
        raise ValueError(
            f"mask of softmax must be bool of the shape {x.shape}, but is {describe(mask)}; "
            "give it with jnp.broadcast_to and astype(bool)"
        )
    kept = jnp.where(mask, wide, jnp.finfo(wide.dtype).min)
    return jnp.where(mask, jax.nn.softmax(kept, axis), 0).astype(x.dtype)


def log_softmax(x: jax.Array, *, axis: int = -1) -> jax.Array:
    """``log(softmax(x))`` along an axis, without underflow; computed in at least float32.

    >>> log_softmax(jnp.array([0.0, 1000.0]))
    Array([-1000.,     0.], dtype=float32)
    """
    return jax.nn.log_softmax(_wide(x, axis, "log_softmax"), axis).astype(x.dtype)


def softmin(x: jax.Array, *, axis: int = -1) -> jax.Array:
    """``softmax(-x)``: the smallest get most.

    >>> softmin(jnp.array([0.0, 1000.0]))
    Array([1., 0.], dtype=float32)
    """
    return jax.nn.softmax(-_wide(x, axis, "softmin"), axis).astype(x.dtype)


def sparsemax(x: jax.Array, *, axis: int = -1) -> jax.Array:
    """The nearest point to ``x`` whose entries are not negative and sum to 1 (arXiv:1602.02068).

    So unlike ``softmax`` it has zeros; computed in at least float32.

    >>> sparsemax(jnp.array([1.0, 1.5, -1.0]))
    Array([0.25, 0.75, 0.  ], dtype=float32)
    """
    wide = _wide(x, axis, "sparsemax")
    # Which entries are positive is constant, but for kinks.
    known = jax.lax.stop_gradient(wide)
    ordered = jnp.sort(known, axis, descending=True)
    rank = 1 + jax.lax.broadcasted_iota(wide.dtype, wide.shape, axis % x.ndim)
    above = 1 + rank * ordered > jnp.cumsum(ordered, axis)
    support = known >= jnp.where(above, ordered, jnp.inf).min(axis, keepdims=True)
    rest = jnp.where(support, wide, 0).sum(axis, keepdims=True) - 1
    shift = rest / support.sum(axis, keepdims=True, dtype=wide.dtype)
    return jnp.where(support, wide - jnp.broadcast_to(shift, x.shape), 0).astype(x.dtype)


def hardmax(x: jax.Array, *, axis: int = -1) -> jax.Array:
    """1 at the first of the largest entries along an axis, else 0; its gradient is 0.

    >>> hardmax(jnp.array([1.0, 3.0, 3.0]))
    Array([0., 1., 0.], dtype=float32)
    """
    check_float(x, "the input of hardmax")
    check_axis(x, axis, "hardmax")
    return jax.nn.one_hot(x.argmax(axis), x.shape[axis], dtype=x.dtype, axis=axis)


def gumbel_softmax(
    logits: jax.Array,
    key: jax.Array | None = None,
    *,
    temperature: float = 1.0,
    hard: bool = False,
    axis: int = -1,
) -> jax.Array:
    """A random choice with a gradient: ``softmax((logits + noise) / temperature)``.

    The noise is Gumbel's, so that the largest entry is a draw from ``softmax(logits)``
    (arXiv:1611.01144, arXiv:1611.00712); without a key there is none. With ``hard`` the value is
    one-hot, and the gradient that of the soft one.
    Raises ValueError unless ``temperature`` is above 0.

    >>> gumbel_softmax(jnp.array([0.0, 1.0]), jax.random.key(0), hard=True).sum()
    Array(1., dtype=float32)
    """
    wide = _wide(logits, axis, "gumbel_softmax")
    check_positive(temperature, "temperature of gumbel_softmax")
    if key is not None:
        check_key(key)
        wide = wide + jax.random.gumbel(written_out(key), wide.shape, wide.dtype)
    soft = jax.nn.softmax(wide / temperature, axis)
    return (straight_through(hardmax(soft, axis=axis), soft) if hard else soft).astype(logits.dtype)


def _wide(x: jax.Array, axis: int, what: str) -> jax.Array:
    check_float(x, f"the input of {what}")
    check_axis(x, axis, what)
    return x.astype(at_least_float32(x))
