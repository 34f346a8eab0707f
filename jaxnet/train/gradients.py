"""Looking at gradients: of each example by itself, and how large those of each weight are.

For statistics there is nothing to look at: what a leaf under ``"stats"`` gets is its learning rule.
"""

from typing import Any

import jax

from jaxnet.core import stats
from jaxnet.data.rows import count
from jaxnet.train.norms import leaf_norms
from jaxnet.train.objective import LossFn, Metrics, scored


def per_example_gradients(
    loss_fn: LossFn, params: dict[str, Any], batch: Any, key: jax.Array | None = None
) -> dict[str, Any]:
    """The gradient of each example's loss: ``[B, *shape]`` for every weight, none for statistics.

    ``loss_fn`` is as for ``train_step`` and sees batches of one; each example has a key of its own,
    split from ``key``. Their mean is the gradient of the batch, if the loss is a mean over it and
    treats examples alone, as no loss with BatchNorm in training does (which raises here). Takes the
    memory of B gradients. Raises ValueError unless all arrays of ``batch`` have one first axis.

    >>> loss_fn = lambda params, batch, key: (params["w"] * batch).mean()
    >>> per_example_gradients(loss_fn, {"w": jax.numpy.ones(())}, jax.numpy.arange(3.0))
    {'w': Array([0., 1., 2.], dtype=float32)}
    """
    size = count(batch)
    keys = None if key is None else jax.random.split(key, size)

    def one(example: Any, key: jax.Array | None) -> dict[str, Any]:
        return _gradient(loss_fn, params, jax.tree.map(lambda x: x[None], example), key)

    return jax.vmap(one)(batch, keys)


def gradient_norms(
    loss_fn: LossFn, params: dict[str, Any], batch: Any, key: jax.Array | None = None
) -> Metrics:
    """The norm of the gradient of each weight, by path: where a network learns, and where not.

    >>> loss_fn = lambda params, batch, key: (params["w"] * batch).mean()
    >>> gradient_norms(loss_fn, {"w": jax.numpy.ones(())}, jax.numpy.arange(3.0))
    {'w': Array(1., dtype=float32)}
    """
    return leaf_norms(_gradient(loss_fn, params, batch, key))


def _gradient(
    loss_fn: LossFn, params: dict[str, Any], batch: Any, key: jax.Array | None
) -> dict[str, Any]:
    weights, statistics = stats.divide(params)

    def loss(weights: dict[str, Any]) -> jax.Array:
        return scored(loss_fn, stats.unite(weights, statistics), batch, key)[0]

    return jax.grad(loss)(weights)
