"""One step of training: a pure function of state and batch, compiled."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxnet.core import stats
from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe, is_array
from jaxnet.train.state import TrainState

if TYPE_CHECKING:
    import optax

type Metrics = dict[str, jax.Array]
type Step = Callable[[TrainState, Any], tuple[TrainState, Metrics]]
type LossFn = Callable[[Any, Any, jax.Array | None], Any]


def train_step(
    loss_fn: LossFn, tx: "optax.GradientTransformation", *, accumulate: int = 1
) -> jax.stages.Wrapped:
    """``state, metrics = step(state, batch)``, compiled; the state given is consumed.

    ``loss_fn(params, batch, key)`` returns a scalar loss or ``(loss, metrics)``, a dict; the step's
    metrics are those and ``"loss"``. The key is folded from the state's key and step, so a run
    that resumes continues exactly. Leaves under ``"stats"`` follow their own rule, not ``tx``.
    ``accumulate=n`` computes the gradient in ``n`` parts of the batch, one after the other, and
    averages them: the memory of one part.
    Raises ValueError for a loss that is not a scalar and for a batch that is empty or cannot be
    divided.

    >>> import optax
    >>> loss_fn = lambda params, batch, key: jnp.square(params["w"] - batch).mean()
    >>> tx = optax.sgd(0.5)
    >>> state = TrainState.create({"w": jnp.zeros(())}, tx, jax.random.key(0))
    >>> state, metrics = train_step(loss_fn, tx)(state, jnp.ones(4))
    >>> float(metrics["loss"]), float(state.params["w"])
    (1.0, 1.0)
    """
    return jax.jit(plain_step(loss_fn, tx, accumulate=accumulate), donate_argnums=0)


def plain_step(loss_fn: LossFn, tx: "optax.GradientTransformation", *, accumulate: int) -> Step:
    """The step of ``train_step`` before compilation, to be part of a larger program."""
    import optax

    check_size(accumulate, "accumulate")
    sees_loss = _sees_loss(tx)
    gradient = jax.value_and_grad(lambda *args: scored(loss_fn, *args), has_aux=True)

    def step(state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(state.key, state.step)
        if accumulate == 1:
            (_, metrics), grads = gradient(state.params, batch, key)
        else:
            metrics, grads = _accumulated(gradient, state.params, batch, key, accumulate)
        weights, statistics = stats.divide(state.params)
        weight_grads, stat_grads = stats.divide(grads)
        extra = {"value": metrics["loss"]} if sees_loss else {}
        updates, opt_state = tx.update(weight_grads, state.opt_state, weights, **extra)
        params = stats.unite(
            optax.apply_updates(weights, updates),  # pyright: ignore[reportArgumentType]
            stats.update(statistics, stat_grads),
        )
        return TrainState(state.step + 1, params, opt_state, state.key), metrics

    return step


def _sees_loss(tx: "optax.GradientTransformation") -> bool:
    """Whether an optimizer takes the loss, ``update(…, value=loss)``, as that of a plateau does."""
    parameters = inspect.signature(tx.update).parameters
    return "value" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def scored(
    loss_fn: LossFn, params: Any, batch: Any, key: jax.Array | None
) -> tuple[jax.Array, Metrics]:
    """What ``loss_fn`` returns, as the loss and a dict of metrics with the loss among them."""
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


def _accumulated(
    gradient: Callable[..., Any], params: Any, batch: Any, key: jax.Array, parts: int
) -> tuple[Metrics, Any]:
    for leaf in jax.tree.leaves(batch):
        if not leaf.shape or leaf.shape[0] % parts:
            raise ValueError(
                f"accumulate={parts} needs a batch whose size it divides, but the batch holds "
                f"{describe(leaf)}"
            )
    batch = jax.tree.map(lambda x: x.reshape(parts, x.shape[0] // parts, *x.shape[1:]), batch)

    def add(totals: Any, part: tuple[Any, jax.Array]) -> tuple[Any, None]:
        (_, metrics), grads = gradient(params, *part)
        return jax.tree.map(jnp.add, totals, (metrics, grads)), None

    keys = jax.random.split(key, parts)
    first = jax.tree.map(lambda x: x[0], (batch, keys))
    (_, metrics), grads = jax.eval_shape(gradient, params, *first)
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), (metrics, grads))
    totals, _ = jax.lax.scan(add, zeros, (batch, keys))
    return jax.tree.map(lambda x: x / parts, totals)
