"""From a loss function to the gradient that a step follows."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core import stats
from jaxnet.core.errors import describe, is_array
from jaxnet.train.accumulate import accumulated
from jaxnet.train.precision import Precision, widened

type Metrics = dict[str, jax.Array]
type LossFn = Callable[[Any, Any, jax.Array | None], Any]
type Gradient = Callable[[Any, Any, jax.Array, jax.Array | None], tuple[Metrics, Any]]


def gradient_of(loss_fn: LossFn, precision: Precision | None, parts: int) -> Gradient:
    """``metrics, grads = gradient(params, batch, key, scale)``, in the dtypes of ``params``.

    With a precision, the loss function sees parameters and batch in it, and metrics are in at least
    float32. ``scale`` is what the loss is multiplied by meanwhile, if anything.
    """

    def objective(
        params: Any, batch: Any, key: jax.Array, scale: jax.Array | None
    ) -> tuple[jax.Array, Metrics]:
        loss, metrics = scored(loss_fn, params, batch, key, precision)
        return loss if scale is None else loss * scale.astype(loss.dtype), metrics

    both = jax.value_and_grad(objective, has_aux=True)
    both = both if parts == 1 else accumulated(both, parts)

    def gradient(
        params: Any, batch: Any, key: jax.Array, scale: jax.Array | None
    ) -> tuple[Metrics, Any]:
        (_, metrics), grads = both(params, batch, key, scale)
        if scale is None:
            return metrics, grads
        # Statistics move by their own rule, however the loss is scaled.
        weights, statistics = stats.divide(grads)
        weights = jax.tree.map(lambda grad: grad / scale.astype(grad.dtype), weights)
        return metrics, stats.unite(weights, statistics)

    return gradient


def scored(
    loss_fn: LossFn,
    params: Any,
    batch: Any,
    key: jax.Array | None,
    precision: Precision | None = None,
) -> tuple[jax.Array, Metrics]:
    """What ``loss_fn`` returns, as the loss and a dict of metrics with the loss among them.

    With a precision it is given parameters and batch in that, and its results are widened.
    """
    if precision is not None:
        params, batch = precision.cast_params(params), precision.cast(batch)
        return widened(scored(loss_fn, params, batch, key))
    for leaf in jax.tree.leaves(batch):
        if is_array(leaf) and leaf.shape[:1] == (0,):
            raise ValueError(
                f"the batch is empty: it holds {describe(leaf)}, and the mean of nothing is NaN"
            )
    output = loss_fn(params, batch, key)
    loss, metrics = output if isinstance(output, tuple) else (output, {})
    if not is_array(loss) or loss.shape or not jnp.issubdtype(loss.dtype, jnp.floating):
        raise ValueError(
            f"loss_fn must return a scalar floating-point loss, but returned {describe(loss)}; "
            "take the mean over the batch, as the functions of jn.losses do"
        )
    if not isinstance(metrics, dict) or "loss" in metrics:
        raise ValueError(
            "loss_fn must return loss or (loss, metrics), where metrics is a dict without the "
            f"key 'loss', but metrics is {describe(metrics)}"
        )
    return loss, {"loss": loss, **metrics}
