"""The cross-entropy of a linear layer's logits, which are never held all at once."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_float, check_nonempty, check_numbers, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array
from jaxnet.losses.labels import Weights, counted, log_likelihood
from jaxnet.losses.reduce import Reduction, reduce, shown


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

    A loop over chunks makes the logits of each one anew, in the forward and in the backward pass,
    so there are ``chunk * V`` of them instead of ``N * V``, for ``x [..., D]`` of N examples,
    ``kernel [D, V]`` and ``bias [V]``. That costs one more product with the kernel. Logits have at
    least float32. Labels are class numbers ``[...]``; other options and errors are those of
    ``softmax_cross_entropy``. Raises ValueError also for shapes that do not fit each other.

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

    @functools.partial(jax.checkpoint, prevent_cse=False)
    def losses(kernel: jax.Array, bias: jax.Array | None, rows: Any) -> Any:
        x, labels = rows
        logits = jnp.matmul(x, kernel, preferred_element_type=at_least_float32(x))
        if bias is not None:
            logits = logits + jnp.broadcast_to(bias.astype(logits.dtype), logits.shape)
        log_p = jax.nn.log_softmax(logits)
        return log_likelihood(log_p, labels, name, smoothing, class_weights)

    examples = labels.size
    chunk = min(chunk, examples)
    chunks = -(-examples // chunk)

    def divided(x: jax.Array, *features: int) -> jax.Array:
        rows = x.reshape(examples, *features)
        rest = jnp.zeros((chunks * chunk - examples, *features), x.dtype)
        return jnp.concatenate([rows, rest]).reshape(chunks, chunk, *features)

    rows = divided(shown(x, mask, name), x.shape[-1]), divided(jnp.asarray(labels))
    _, results = jax.lax.scan(lambda _, rows: (None, losses(kernel, bias, rows)), None, rows)
    each, share = jax.tree.map(lambda y: y.reshape(-1)[:examples].reshape(x.shape[:-1]), results)
    return -reduce(each, weights, mask, reduction, name, share=share)
