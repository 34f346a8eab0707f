"""Leaves with their own learning rule: statistics under the dict key ``"stats"``.

Parameters are the way in, gradients are the way out. A training call gives a running mean the
cotangent ``rate * (mean - batch_mean)``, the exact gradient of ``rate/2 * |mean - batch_mean|^2``,
and the train step applies ``stat - grad`` to every leaf under ``"stats"``, while optax has the
rest. So the rule is right wherever gradients are: in a scan, under remat, vmap, microbatching
(gradients average) and data parallelism.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def learn(y: jax.Array, stats: Any, targets: Any, rate: float) -> jax.Array:
    """``y`` itself; its gradient moves each of ``stats`` towards ``targets`` by ``rate``.

    ``stats`` and ``targets`` are trees of equal structure and shapes. Whatever the loss is and
    however it is scaled, the cotangent of ``stats`` is ``rate * (stats - targets)``.

    >>> jax.grad(lambda s: 5 * learn(jnp.ones(()), s, jnp.zeros(()), 0.1))(jnp.ones(()))
    Array(0.1, dtype=float32)
    """
    return y


def _forward(y: jax.Array, stats: Any, targets: Any, rate: float) -> tuple[jax.Array, Any]:
    return y, jax.tree.map(lambda stat, target: rate * (stat - target), stats, targets)


def _backward(rate: float, pull: Any, cotangent: jax.Array) -> tuple[Any, ...]:
    return cotangent, pull, None


learn.defvjp(_forward, _backward)


def divide(params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tree in two: what an optimizer learns, and what lies under ``"stats"``.

    >>> divide({"bn": {"scale": 1, "stats": {"mean": 2}}})
    ({'bn': {'scale': 1}}, {'bn': {'stats': {'mean': 2}}})
    """
    weights, stats = {}, {}
    for name, value in params.items():
        if name == "stats":
            stats[name] = value
        elif isinstance(value, dict):
            inner_weights, inner_stats = divide(value)
            weights[name] = inner_weights
            if inner_stats:
                stats[name] = inner_stats
        else:
            weights[name] = value
    return weights, stats


def unite(weights: dict[str, Any], stats: dict[str, Any]) -> dict[str, Any]:
    """The inverse of ``divide``.

    >>> unite({"bn": {"scale": 1}}, {"bn": {"stats": {"mean": 2}}})
    {'bn': {'scale': 1, 'stats': {'mean': 2}}}
    """
    both = dict(weights)
    for name, value in stats.items():
        both[name] = unite(weights[name], value) if name in weights else value
    return both


def update(stats: dict[str, Any], grads: dict[str, Any]) -> dict[str, Any]:
    """One step of the learning rule: ``stat - grad``."""
    return jax.tree.map(jnp.subtract, stats, grads)
