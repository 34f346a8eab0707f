"""Looking at a whole data set, batch by batch: mean metrics and predictions."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_size
from jaxnet.data import Batches, prefetch
from jaxnet.data.rows import count
from jaxnet.train.feed import comes_in_batches, gathered, size_of, stays
from jaxnet.train.objective import LossFn, Metrics, scored
from jaxnet.train.precision import Precision, as_precision


def evaluate(
    loss_fn: LossFn,
    params: Any,
    data: Any,
    *,
    batch_size: int = 256,
    precision: Precision | str | None = None,
) -> dict[str, float]:
    """The mean over ``data`` of the loss and metrics of ``loss_fn(params, batch, None)``.

    Without a key the model is called for inference. ``data`` is a tree of arrays with one first
    axis, such as ``(x, y)``, or comes in batches (``jn.data.Batches`` and the like), of which epoch
    0 is taken. Arrays that fit are evaluated on the device in one go, anything else streams.

    >>> evaluate(lambda params, batch, key: batch.mean(), {}, jnp.arange(5.0), batch_size=2)
    {'loss': 2.0}
    """
    if not comes_in_batches(data):
        check_size(batch_size, "batch_size")
        data = Batches(data, batch_size, shuffle=False)
    whole, one = _programs(loss_fn, as_precision(precision))
    if stays(data)[0]:
        totals = _resident(whole, one, params, data)
    else:
        with prefetch(data.epoch(0)) as batches:
            totals = [(size_of(batch), one(params, batch)) for batch in batches]
    return _averaged(jax.device_get(totals))


def predict(layer: Callable[..., Any], params: Any, x: Any, *, batch_size: int = 256) -> Any:
    """``layer(params, x)`` for inference, computed ``batch_size`` examples at a time.

    >>> predict(lambda params, x: 2 * x, {}, jnp.arange(3.0), batch_size=2)
    Array([0., 2., 4.], dtype=float32)
    """
    check_size(batch_size, "batch_size")
    size = count(x)
    compiled = _compiled(layer)
    parts = [
        compiled(params, jax.tree.map(lambda x: x[start : start + batch_size], x))
        for start in range(0, size, batch_size)
    ]
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *parts)


_compiled = functools.lru_cache(maxsize=16)(jax.jit)


@functools.lru_cache(maxsize=16)
def _programs(
    loss_fn: LossFn, precision: Precision | None
) -> tuple[Callable[..., Metrics], Callable[..., Metrics]]:
    def one(params: Any, batch: Any) -> Metrics:
        return scored(loss_fn, params, batch, None, precision)[1]

    def whole(params: Any, data: Any, order: jax.Array) -> Metrics:
        metrics = jax.lax.map(lambda indices: one(params, gathered(data, indices)), order)
        return jax.tree.map(lambda x: x.mean(0), metrics)

    return jax.jit(whole), jax.jit(one)


def _resident(
    whole: Callable[..., Metrics], one: Callable[..., Metrics], params: Any, batches: Batches
) -> list[tuple[int, Metrics]]:
    """Means over all full batches, in one program, and over the last one."""
    data = jax.tree.map(jnp.asarray, batches.arrays)
    order, size, full = batches.indices(0).astype(np.int32), batches.batch_size, batches.full
    totals = []
    if full:
        means = whole(params, data, order[: full * size].reshape(full, size))
        totals.append((full * size, means))
    if len(order) % size:
        rest = order[full * size :]
        totals.append((len(rest), one(params, gathered(data, rest))))
    return totals


def _averaged(totals: list[tuple[int, Metrics]]) -> dict[str, float]:
    """The mean over all examples, from means over some of them each; the loss first."""
    if not totals:
        raise ValueError("there are no batches to evaluate")
    size = sum(size for size, _ in totals)
    names = sorted(totals[0][1], key=lambda name: name != "loss")
    return {
        name: float(sum(part * np.float64(means[name]) for part, means in totals) / size)
        for name in names
    }
