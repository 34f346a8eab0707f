"""Weights averaged along the way: the mean, an exponential mean, and looking ahead."""

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core import stats
from jaxnet.core.checks import check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.optim.checks import check_least, check_share

if TYPE_CHECKING:
    import optax


class AverageState(NamedTuple):
    """The steps made, the average of the weights, and the optimizer's own state."""

    step: jax.Array
    average: Any
    inner: Any


def averaging(
    tx: "optax.GradientTransformation", *, decay: float | None = None, start: float = 0
) -> "optax.GradientTransformation":
    """``tx``, and beside its weights their average, which often generalises better.

    Without ``decay`` it is the mean of the weights after each step (arXiv:1803.05407), with it the
    exponential mean ``a <- decay * a + (1 - decay) * w``. It begins with the weights after step
    ``start + 1``; before that it is the weights themselves. ``averaged(opt_state, params)`` reads
    it; training itself does not change. Raises ValueError for numbers out of range.

    >>> from jaxnet.optim import sgd
    >>> tx = averaging(sgd(1.0))
    >>> params, grads = {"w": jnp.zeros(1)}, {"w": jnp.ones(1)}
    >>> state = tx.init(params)
    >>> for _ in range(2):
    ...     updates, state = tx.update(grads, state, params)
    ...     params = jax.tree.map(jnp.add, params, updates)
    >>> params["w"], averaged(state, params)["w"]
    (Array([-2.], dtype=float32), Array([-1.5], dtype=float32))
    """
    import optax

    if decay is not None:
        check_share(decay, "decay")
    check_least(start, "start")
    inner = optax.with_extra_args_support(tx)

    def init(params: Any) -> AverageState:
        # A copy: a state that is donated must not hold the weights themselves.
        average = jax.tree.map(jnp.array, params)
        return AverageState(jnp.zeros((), jnp.int32), average, inner.init(params))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
        updates, own = inner.update(updates, state.inner, params, **extra)
        step = state.step + 1

        def move(average: jax.Array, param: jax.Array, update: jax.Array) -> jax.Array:
            after = step.astype(at_least_float32(param)) - start
            share = (
                1 / jnp.maximum(after, 1) if decay is None else jnp.where(after > 1, 1 - decay, 1)
            )
            return average + share.astype(param.dtype) * (param + update - average)

        average = jax.tree.map(move, state.average, params, updates)
        return updates, AverageState(step, average, own)

    return optax.GradientTransformationExtraArgs(init, update)


def averaged(opt_state: Any, params: dict[str, Any]) -> dict[str, Any]:
    """``params`` with the average of the weights that ``averaging`` keeps in ``opt_state``.

    Statistics stay those of ``params``: after averaging they may be learnt anew by some calls with
    a key. Raises ValueError if no average is kept, or more than one.
    """
    nodes = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, AverageState))
    found = [node.average for node in nodes if isinstance(node, AverageState)]
    if len(found) != 1:
        raise ValueError(
            f"averaged needs the state of one averaging(tx), but {len(found)} were found in it"
        )
    return stats.unite(found[0], stats.divide(params)[1])


class LookaheadState(NamedTuple):
    """The steps made, the slow weights, and the optimizer's own state."""

    step: jax.Array
    slow: Any
    inner: Any


def lookahead(
    tx: "optax.GradientTransformation", *, steps: int = 6, rate: float = 0.5
) -> "optax.GradientTransformation":
    """``tx`` for ``steps`` steps, then back to ``slow <- slow + rate * (w - slow)``.

    The slow weights begin with the first ones (arXiv:1907.08610).
    Raises ValueError for numbers out of range.

    >>> from jaxnet.optim import sgd
    >>> tx = lookahead(sgd(1.0), steps=1)
    >>> params, grads = {"w": jnp.zeros(1)}, {"w": jnp.ones(1)}
    >>> tx.update(grads, tx.init(params), params)[0]
    {'w': Array([-0.5], dtype=float32)}
    """
    import optax

    check_size(steps, "steps of lookahead")
    check_share(rate, "rate")
    inner = optax.with_extra_args_support(tx)

    def init(params: Any) -> LookaheadState:
        slow = jax.tree.map(jnp.array, params)
        return LookaheadState(jnp.zeros((), jnp.int32), slow, inner.init(params))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
        updates, own = inner.update(updates, state.inner, params, **extra)
        step = state.step + 1
        back = step % steps == 0

        def meet(slow: jax.Array, param: jax.Array, update: jax.Array) -> jax.Array:
            return jnp.where(back, slow + rate * (param + update - slow), slow)

        slow = jax.tree.map(meet, state.slow, params, updates)
        updates = jax.tree.map(
            lambda slow, param, update: jnp.where(back, slow - param, update), slow, params, updates
        )
        return updates, LookaheadState(step, slow, own)

    return optax.GradientTransformationExtraArgs(init, update)
