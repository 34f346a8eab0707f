"""Rules by path: which leaves are frozen, move faster or slower, or have an optimizer of their own.

A rule is a glob on paths such as ``"blocks/attn/kernel"``; the first that matches wins.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxnet.core import tree
from jaxnet.optim.rule import seeing_all

if TYPE_CHECKING:
    import optax


def freeze(tx: "optax.GradientTransformation", *patterns: str) -> "optax.GradientTransformation":
    """``tx`` for all leaves but those whose path matches a pattern: these stay as they are.

    Frozen leaves take no memory in the optimizer's state, and ``tx`` does not see them, nor do
    their gradients enter a global norm in it. Statistics are no business of optimizers: the train
    step updates those of frozen layers, too, unless it calls them without a key.
    Raises ValueError without patterns and, in ``init``, for a pattern that matches no leaf.

    >>> from jaxnet.optim import gradient_descent
    >>> tx = freeze(gradient_descent(1.0), "body/**")
    >>> grads = {"body": {"bias": jnp.ones(1)}, "head": {"bias": jnp.ones(1)}}
    >>> tx.update(grads, tx.init(grads))[0]
    {'body': {'bias': Array([0.], dtype=float32)}, 'head': {'bias': Array([-1.], dtype=float32)}}
    """
    import optax

    if not patterns:
        raise ValueError(
            "freeze needs the paths that it freezes, such as freeze(tx, 'backbone/**')"
        )

    frozen = seeing_all(lambda params: tree.select(params, *patterns))

    def learnt(params: Any) -> Any:
        return jax.tree.map(lambda is_frozen: not is_frozen, frozen(params))

    return optax.chain(optax.masked(tx, learnt), optax.masked(optax.set_to_zero(), frozen))


def by_path(rules: Mapping[str, "optax.GradientTransformation"]) -> "optax.GradientTransformation":
    """An optimizer for each pattern of paths: ``{"**/kernel": muon(), "**": adamw(1e-3)}``.

    Each sees only its own leaves. Raises ValueError, in ``init``, for a pattern that matches no
    leaf and for leaves that no pattern matches.

    >>> from jaxnet.optim import gradient_descent
    >>> tx = by_path({"head/**": gradient_descent(1.0), "**": gradient_descent(0.1)})
    >>> grads = {"body": {"bias": jnp.ones(1)}, "head": {"bias": jnp.ones(1)}}
    >>> tx.update(grads, tx.init(grads))[0]
    {'body': {'bias': Array([-0.1], dtype=float32)}, 'head': {'bias': Array([-1.], dtype=float32)}}
    """
    import optax

    names = {pattern: pattern for pattern in rules}
    return optax.partition({**rules}, seeing_all(lambda params: tree.label(params, names)))


def scale_by_path(
    tx: "optax.GradientTransformation", factors: Mapping[str, float]
) -> "optax.GradientTransformation":
    """``tx`` with its steps multiplied by path: ``{"backbone/**": 0.1, "**": 1.0}``.

    For the optimizers here that is a factor of the learning rate. Raises ValueError for a negative
    factor and, in ``init``, as ``by_path`` does.

    >>> from jaxnet.optim import gradient_descent
    >>> tx = scale_by_path(gradient_descent(1.0), {"head/**": 2.0, "**": 1.0})
    >>> grads = {"body": {"bias": jnp.ones(1)}, "head": {"bias": jnp.ones(1)}}
    >>> tx.update(grads, tx.init(grads))[0]["head"]
    {'bias': Array([-2.], dtype=float32)}
    """
    import optax

    for pattern, factor in factors.items():
        if factor < 0:
            raise ValueError(
                f"the factor of {pattern!r} is {factor}, but a step backwards does not learn; give "
                "0 or more, or freeze these leaves"
            )

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        labels = seeing_all(lambda updates: tree.label(updates, dict(factors)))(updates)
        return jax.tree.map(lambda x, factor: factor * x, updates, labels), state

    def init(params: Any) -> Any:
        tree.label(params, dict(factors))
        return optax.EmptyState()

    return optax.chain(tx, optax.GradientTransformation(init, update))


def constrain(
    tx: "optax.GradientTransformation", rules: Mapping[str, Callable[[jax.Array], jax.Array]]
) -> "optax.GradientTransformation":
    """``tx``, and after each step the leaves of a pattern are brought back by its function.

    Keras's constraints are ``{"**/kernel": non_negative}``, ``unit_norm`` and ``max_norm(bound)``;
    leaves that no pattern matches are free. Raises ValueError, in ``init``, for a pattern that
    matches no leaf.

    >>> from jaxnet.optim import gradient_descent
    >>> tx = constrain(gradient_descent(1.0), {"w": non_negative})
    >>> params, grads = {"w": jnp.array([0.5, 3.0])}, {"w": jnp.ones(2)}
    >>> tx.update(grads, tx.init(params), params)[0]["w"]
    Array([-0.5, -1. ], dtype=float32)
    """
    import optax

    def masks(params: Any) -> list[Any]:
        return [seeing_all(lambda x, p=pattern: tree.select(x, p))(params) for pattern in rules]

    def init(params: Any) -> Any:
        masks(params)
        return optax.EmptyState()

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        for chosen, project in zip(masks(params), rules.values(), strict=True):
            updates = jax.tree.map(
                lambda update, param, here, project=project: (
                    project(param + update) - param if here else update
                ),
                updates,
                params,
                chosen,
            )
        return updates, state

    return optax.chain(tx, optax.GradientTransformation(init, update))


def non_negative(param: jax.Array) -> jax.Array:
    """Each entry at least 0.

    >>> non_negative(jnp.array([-1.0, 2.0]))
    Array([0., 2.], dtype=float32)
    """
    return jnp.maximum(param, 0)


def unit_norm(param: jax.Array) -> jax.Array:
    """Each feature's weights, all axes of a kernel but the last, scaled to a norm of 1.

    >>> unit_norm(jnp.array([[3.0], [4.0]]))
    Array([[0.6],
           [0.8]], dtype=float32)
    """
    return param / jnp.maximum(_norm(param), 1e-7)


def max_norm(bound: float) -> Callable[[jax.Array], jax.Array]:
    """Each feature's weights scaled down to a norm of at most ``bound``.

    >>> max_norm(1.0)(jnp.array([[3.0], [4.0]]))
    Array([[0.6],
           [0.8]], dtype=float32)
    """

    def project(param: jax.Array) -> jax.Array:
        norm = _norm(param)
        return param * jnp.minimum(norm, bound) / jnp.maximum(norm, 1e-7)

    return project


def _norm(param: jax.Array) -> jax.Array:
    axes = tuple(range(param.ndim - 1))
    return jnp.broadcast_to(jnp.sqrt(jnp.square(param).sum(axes, keepdims=True)), param.shape)
