"""What all losses do with the losses of the examples: weigh them, leave some out, reduce them."""

from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_choice, check_float, check_real, matched
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array

type Reduction = Literal["mean", "sum", "none"]


def reduce(
    each: jax.Array,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
    name: str = "reduce",
    *,
    share: jax.Array | None = None,
) -> jax.Array:
    """The losses ``each [...]`` as one number: the mean, the sum, or with ``"none"`` as they are.

    ``weights`` multiply the losses, and the mean is ``sum(w l) / sum(w)``; what sums to 0 gives 0.
    (Divided by the number of losses instead, as some of PyTorch's are, it is ``reduction="none"``
    and then ``.mean()``.) ``mask`` is bool, and False takes a loss out: it is 0 and counts for
    nothing, whatever its inputs are, NaN too; of nothing at all the mean is 0. Both have the shape
    of the losses, or that of its first axes: ``[B]`` holds for all of ``[B, T]`` behind it.
    ``share`` is what a loss counts in the mean's divisor, 1 by default.
    Raises ValueError for other shapes, a mask that is not bool, and another reduction.

    >>> reduce(jnp.array([1.0, 4.0, 9.0]), jnp.array([1.0, 2.0, 1.0]))
    Array(4.5, dtype=float32)
    """
    check_choice(reduction, ("mean", "sum", "none"), "reduction", name)
    check_float(each, f"each of {name}")
    each = each.astype(at_least_float32(each))
    if weights is not None or mask is not None or share is not None:
        counts = jnp.ones_like(each) if share is None else share
        if weights is not None:
            check_real(weights, f"weights of {name}", integers=True)
            factor = spread(weights, each.shape, f"weights of {name}").astype(each.dtype)
            factor = shown(factor, mask, name)
            each, counts = factor * each, factor * counts
        each, counts = (shown(x, mask, name, 0) for x in (each, counts))
        if reduction == "mean":
            whole = counts.sum()
            return each.sum() / jnp.where(whole == 0, 1, whole)
    return each if reduction == "none" else getattr(each, reduction)()


def shown(x: Any, mask: jax.Array | None, name: str, fill: Any = 1) -> Any:
    """``x`` with ``fill`` where ``mask``, which has its first axes, is False.

    Not only results but inputs, too: the gradient of ``where`` is NaN where the other branch's is.
    """
    if mask is None or not is_array(x):
        return x
    if not is_array(mask) or mask.dtype != bool:
        raise ValueError(
            f"mask of {name} must be an array of bool, True where an example counts, but is "
            f"{describe(mask)}; compare to get one: mask > 0"
        )
    rest = jnp.broadcast_to(jnp.asarray(fill, x.dtype), x.shape)
    return jnp.where(spread(mask, x.shape, f"mask of {name}"), x, rest)


def spread(x: Any, shape: tuple[int, ...], what: str) -> jax.Array:
    """``x``, which has the first axes of ``shape``, with all of them."""
    if x.shape != shape[: x.ndim] or (shape and not x.shape):
        raise ValueError(
            f"{what} must have the shape of the losses or of their first axes, here {shape} or "
            f"{shape[:1]}, but is {describe(x)}; say what is meant with reshape or jnp.broadcast_to"
        )
    return jnp.broadcast_to(jnp.reshape(x, (*x.shape, *(1,) * (len(shape) - x.ndim))), shape)


def entries(predictions: Any, targets: Any, mask: Any, name: str) -> tuple[jax.Array, jax.Array]:
    """Both in the dtype to compute in, with 1 where they do not count; raises unless they fit."""
    predictions, targets = matched(predictions, targets, name)
    return shown(predictions, mask, name), shown(targets, mask, name)
