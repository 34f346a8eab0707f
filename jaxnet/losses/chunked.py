"""The cross-entropy of a linear layer's logits, which are never held all at once."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_float, check_nonempty, check_numbers, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array
from jaxnet.core.tangents import is_zero
from jaxnet.losses.labels import Weights, by_class, counted, log_likelihood
from jaxnet.losses.reduce import Reduction, reduce, shown

type Arrays = dict[str, jax.Array]
type Losses = Callable[[Arrays, Arrays], jax.Array]


def chunked_cross_entropy(
    x: jax.Array,
    kernel: jax.Array,
    labels: jax.Array,
    bias: jax.Array | None = None,
    *,
    chunk: int = 1024,
    class_weights: Weights | None = None,
    smoothing: float = 0.0,
    ignore: int | None = None,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``softmax_cross_entropy(x @ kernel + bias, labels)`` in the memory of ``chunk`` examples.

    A loop over chunks makes the logits of one after the other, so there are ``chunk * V`` of them
    instead of ``N * V``, for ``x [..., D]`` of N examples, ``kernel [D, V]`` and ``bias [V]``. It
    makes the gradient in the same go; only with ``reduction="none"`` the backward pass needs the
    logits anew, which costs one more product with the kernel. Logits have at least float32. Labels
    are class numbers ``[...]``; other options and errors are those of ``softmax_cross_entropy``.
    Raises ValueError also for shapes that do not fit each other.

    >>> chunked_cross_entropy(jnp.ones((4, 3)), jnp.ones((3, 5)), jnp.arange(4), chunk=2).round(4)
    Array(1.6094, dtype=float32)
    """
    name = "chunked_cross_entropy"
    check_size(chunk, f"chunk of {name}")
    check_float(x, f"the input of {name}")
    check_axes(x, 1, f"the input of {name}")
    if kernel.ndim != 2 or kernel.shape[0] != x.shape[-1] or kernel.dtype != x.dtype:
        raise ValueError(
            f"kernel of {name} must be [D, V] for an input [..., D], of its dtype, but they are "
            f"{describe(kernel)} and {describe(x)}; is it transposed, or cast?"
        )
    if bias is not None and bias.shape != kernel.shape[1:]:
        raise ValueError(
            f"bias of {name} must have the shape {kernel.shape[1:]}, but is {describe(bias)}"
        )
    if not is_array(labels) or labels.shape != x.shape[:-1]:
        raise ValueError(
            f"labels of {name} must be class numbers of the shape {x.shape[:-1]}, but are "
            f"{describe(labels)}; give distributions to softmax_cross_entropy"
        )
    check_nonempty(x, name)
    labels, mask = counted(labels, mask, ignore, name)
    check_numbers(labels, kernel.shape[1], name)

    dtype = at_least_float32(x)

    def losses(rows: Arrays, whole: Arrays) -> jax.Array:
        logits = _product(rows["x"], whole["kernel"])
        if "bias" in whole:
            logits = logits + jnp.broadcast_to(whole["bias"].astype(dtype), logits.shape)
        log_p = jax.nn.log_softmax(logits)
        factors = whole.get("class_weights")
        return -log_likelihood(log_p, rows["labels"], name, smoothing, factors)[0]

    rows = {"x": shown(x, mask, name), "labels": jnp.asarray(labels)}
    whole, share = {"kernel": kernel}, None
    if bias is not None:
        whole["bias"] = bias
    if class_weights is not None:
        factors = by_class(class_weights, kernel[0].astype(dtype), f"class_weights of {name}")
        whole["class_weights"], share = factors, factors[labels]
    if reduction == "none":
        once = jax.checkpoint(losses, prevent_cse=False)
        each = jax.lax.map(lambda rows: once(rows, whole), _divided(rows, x.ndim - 1, chunk))
        each = each.reshape(-1)[: labels.size].reshape(labels.shape)
        return reduce(each, weights, mask, reduction, name)
    weigh = functools.partial(
        reduce, weights=weights, mask=mask, reduction=reduction, name=name, share=share
    )
    # What each loss counts in the result, which is their sum.
    rows["counts"] = jax.grad(weigh)(jnp.zeros(labels.shape, dtype))
    return _sum(losses, _divided(rows, x.ndim - 1, chunk), whole)


def _divided(rows: Arrays, axes: int, chunk: int) -> Arrays:
    """``[..., D]`` to ``[chunks, chunk, D]`` with zeros at the end; ``axes`` many are the rows."""

    def divided(x: jax.Array) -> jax.Array:
        examples, features = math.prod(x.shape[:axes]), x.shape[axes:]
        size = min(chunk, examples)
        chunks = -(-examples // size)
        rest = jnp.zeros((chunks * size - examples, *features), x.dtype)
        return jnp.concatenate([x.reshape(examples, *features), rest]).reshape(
            chunks, size, *features
        )

    return jax.tree.map(divided, rows)


def _counted(losses: Losses, rows: Arrays, whole: Arrays) -> jax.Array:
    return (rows["counts"] * losses(rows, whole)).sum()


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _sum(losses: Losses, rows: Arrays, whole: Arrays) -> jax.Array:
    """The sum over all chunks of rows of ``counts * losses``."""
    zero = jnp.zeros((), rows["counts"].dtype)
    return jax.lax.scan(lambda y, rows: (y + _counted(losses, rows, whole), None), zero, rows)[0]


# A gradient of a sum is known as soon as the logits are: the same loop makes it, and makes the
# logits only once. The tangent is its product with what moves.
@functools.partial(_sum.defjvp, symbolic_zeros=True)
def _(losses: Losses, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    rows, whole = primals
    change = [{name: t for name, t in group.items() if _moves(t)} for group in tangents]

    @functools.partial(jax.checkpoint, prevent_cse=False)
    def once(sums: Any, rows: Arrays) -> Any:
        def loss(own: Arrays, shared: Arrays) -> jax.Array:
            return _counted(losses, rows | own, whole | shared)

        moving = ({n: given[n] for n in c} for given, c in zip((rows, whole), change, strict=True))
        y, back = jax.vjp(loss, *moving)
        own, shared = back(jnp.ones_like(y))
        return jax.tree.map(lambda a, b: a + b.astype(a.dtype), sums, (y, shared)), own

    zero = jnp.zeros((), rows["counts"].dtype)
    zeros = {name: jnp.zeros(t.shape, at_least_float32(t)) for name, t in change[1].items()}
    (y, shared), own = jax.lax.scan(once, (zero, zeros), rows)
    parts = jax.tree.map(
        lambda g, t: (g.astype(y.dtype) * t.astype(y.dtype)).sum(), [own, shared], change
    )
    return y, functools.reduce(jnp.add, jax.tree.leaves(parts))


def _moves(tangent: Any) -> bool:
    return not is_zero(tangent) and tangent.dtype != jax.dtypes.float0


@jax.custom_jvp
def _product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """``x @ kernel`` in at least float32, whose gradients are products in the dtype of ``x``."""
    return jnp.matmul(x, kernel, preferred_element_type=at_least_float32(x))


@_product.defjvp
def _(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    (x, kernel), (dx, dk) = primals, tangents
    y = _product(x, kernel)
    return y, (dx @ kernel + x @ dk).astype(y.dtype)
