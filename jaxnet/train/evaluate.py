"""Looking at a whole data set, batch by batch: mean metrics and predictions."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe, is_array
from jaxnet.train.step import LossFn, Metrics, scored


def evaluate(loss_fn: LossFn, params: Any, data: Any, *, batch_size: int = 256) -> dict[str, float]:
    """The mean over ``data`` of the loss and metrics of ``loss_fn(params, batch, None)``.

    Without a key the model is called for inference. ``data`` is a tree of arrays with one first
    axis, such as ``(x, y)``.

    >>> evaluate(lambda params, batch, key: batch.mean(), {}, jnp.arange(5.0), batch_size=2)
    {'loss': 2.0}
    """
    check_size(batch_size, "batch_size")
    size = check_data(data)
    data = jax.tree.map(jnp.asarray, data)
    full, rest = batches(np.arange(size), batch_size)
    run, last = _programs(loss_fn)
    totals = [(batch_size, run(params, data, full))] if len(full) else []
    if rest is not None:
        totals.append((len(rest), last(params, gathered(data, rest))))
    return averaged(jax.device_get(totals), size)


def predict(
    layer: Callable[..., jax.Array], params: Any, x: Any, *, batch_size: int = 256
) -> jax.Array:
    """``layer(params, x)`` for inference, computed ``batch_size`` examples at a time.

    >>> predict(lambda params, x: 2 * x, {}, jnp.arange(3.0), batch_size=2)
    Array([0., 2., 4.], dtype=float32)
    """
    check_size(batch_size, "batch_size")
    size = check_data(x)
    compiled = _compiled(layer)
    parts = [
        compiled(params, jax.tree.map(lambda x: x[start : start + batch_size], x))
        for start in range(0, size, batch_size)
    ]
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *parts)


@functools.lru_cache(maxsize=16)
def _programs(loss_fn: LossFn) -> tuple[Callable[..., Metrics], Callable[..., Metrics]]:
    def one(params: Any, batch: Any) -> Metrics:
        return scored(loss_fn, params, batch, None)[1]

    def run(params: Any, data: Any, order: jax.Array) -> Metrics:
        metrics = jax.lax.map(lambda indices: one(params, gathered(data, indices)), order)
        return jax.tree.map(lambda x: x.sum(0), metrics)

    return jax.jit(run), jax.jit(one)


_compiled = functools.lru_cache(maxsize=16)(jax.jit)


def check_data(data: Any) -> int:
    """The number of examples; raises unless all arrays agree on it and it is not 0."""
    leaves = jax.tree.leaves(data)
    sizes = {leaf.shape[0] if is_array(leaf) and leaf.shape else None for leaf in leaves}
    if len(sizes) != 1 or None in sizes:
        given = ", ".join(map(describe, leaves))
        raise ValueError(
            "data must be arrays with one first axis, an example a row, such as (x, y), "
            f"but is {given or 'empty'}"
        )
    (size,) = sizes
    if not size:
        raise ValueError(f"there are no examples: {', '.join(map(describe, leaves))}")
    return size


def batches(order: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Indices of the full batches ``[steps, batch_size]`` and of a last, smaller one, if any."""
    cut = len(order) - len(order) % batch_size
    rest = order[cut:].astype(np.int32)
    return order[:cut].reshape(-1, batch_size).astype(np.int32), rest if len(rest) else None


def gathered(data: Any, indices: Any) -> Any:
    """The examples at ``indices``, which are known to exist."""
    return jax.tree.map(lambda x: x.at[indices].get(mode="promise_in_bounds"), data)


def averaged(totals: Sequence[tuple[int, Any]], size: int) -> dict[str, float]:
    """Means over examples, from sums over batches and the size of those batches; the loss first."""
    names = sorted(totals[0][1], key=lambda name: name != "loss")
    return {
        name: float(sum(weight * np.float64(sums[name]) for weight, sums in totals) / size)
        for name in names
    }
