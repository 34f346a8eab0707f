"""One step of training: a pure function of state and batch, compiled.

Loss, gradient, optimizer, and nothing else unless it is asked for: the default step is the program
that one would write by hand.
"""

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxnet.core import stats, threefry
from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe, is_array, listing
from jaxnet.optim.checks import check_share
from jaxnet.optim.clip import clip as clipping
from jaxnet.train import loss_scale
from jaxnet.train.norms import all_norms, is_finite
from jaxnet.train.objective import LossFn as LossFn
from jaxnet.train.objective import Metrics as Metrics
from jaxnet.train.objective import gradient_of
from jaxnet.train.objective import scored as scored
from jaxnet.train.precision import Precision, as_precision, masters
from jaxnet.train.state import TrainState, check_state

if TYPE_CHECKING:
    import optax

type Step = Callable[[TrainState, Any], tuple[TrainState, Metrics]]


def train_step(
    loss_fn: LossFn,
    tx: "optax.GradientTransformation",
    *,
    accumulate: int = 1,
    precision: Precision | str | None = None,
    clip: float | None = None,
    ema: float | None = None,
    skip_nonfinite: bool = False,
    norms: bool = False,
    steps: int = 1,
) -> jax.stages.Wrapped:
    """``state, metrics = step(state, batch)``, compiled; the state given is consumed.

    ``loss_fn(params, batch, key)`` returns a scalar loss or ``(loss, metrics)``, a dict; the step's
    metrics are those and ``"loss"``. The key is folded from the state's key and step, so a run
    that resumes continues exactly. Leaves under ``"stats"`` follow their own rule, not ``tx``.

    ``accumulate=n`` computes the gradient in ``n`` parts of the batch, one after the other, and
    averages it and the metrics: the memory of one part.
    ``precision="bfloat16"`` hands weights and floating-point batches to the loss in that dtype (see
    ``Precision``), targets too: those that need more digits than bfloat16's two or three are
    computed with ``Precision.wrap(net)`` in the loss function instead. With ``"float16"`` the
    metrics have ``"loss_scale"``, and ``"skipped"`` for a step that overflowed.
    ``clip=1.0`` bounds the norm of the gradients of all weights together, frozen ones as well.
    ``ema=0.999`` keeps ``state.averaged``: after each step ``a <- ema * a + (1 - ema) * params``,
    from a copy of the first parameters, and statistics as they are. (The average of
    ``jn.optim.averaging`` lives in the optimizer and begins with the weights after its first step.)
    ``skip_nonfinite`` leaves everything but the step counter as it is, and sets the metric
    ``"skipped"`` to 1, where the loss or an entry of the gradient is not finite.
    ``norms`` adds the metrics ``"grad_norm"`` and, for each weight, ``"grad_norm/<path>"``, before
    clipping. ``steps=k`` makes ``k`` steps in one dispatch: each leaf of the batch has a first axis
    of ``k`` batches, and so has each metric.

    What must train against each other needs no other step. One loss may do it, with
    ``jax.lax.stop_gradient`` around what each part of it takes as given, and an optimizer a player
    by ``jn.optim.by_path``. Or each player has a state and a step of its own, with the other's
    ``state.params`` in the batch, such as ``step(state, (x, other.params))``, which leaves no use
    for ``accumulate``: it would divide them, too.

    Raises ValueError for a loss that is not a scalar, for a batch that is empty or cannot be
    divided, and for options that need what the state lacks.

    >>> import optax
    >>> loss_fn = lambda params, batch, key: jnp.square(params["w"] - batch).mean()
    >>> tx = optax.sgd(0.5)
    >>> state = TrainState.create({"w": jnp.zeros(())}, tx, jax.random.key(0))
    >>> state, metrics = train_step(loss_fn, tx)(state, jnp.ones(4))
    >>> float(metrics["loss"]), float(state.params["w"])
    (1.0, 1.0)
    """
    check_size(steps, "steps")
    step = plain_step(
        loss_fn,
        tx,
        accumulate=accumulate,
        precision=precision,
        clip=clip,
        ema=ema,
        skip_nonfinite=skip_nonfinite,
        norms=norms,
    )
    return jax.jit(step if steps == 1 else _repeated(step, steps), donate_argnums=0)


def plain_step(
    loss_fn: LossFn,
    tx: "optax.GradientTransformation",
    *,
    accumulate: int = 1,
    precision: Precision | str | None = None,
    clip: float | None = None,
    ema: float | None = None,
    skip_nonfinite: bool = False,
    norms: bool = False,
) -> Step:
    """The step of ``train_step`` before compilation, to be part of a larger program."""
    import optax

    check_size(accumulate, "accumulate")
    if ema is not None:
        check_share(ema, "ema")
    policy = as_precision(precision)
    skips = skip_nonfinite or (policy is not None and policy.scales_loss)
    clipper = None if clip is None else clipping(optax.identity(), norm=clip)
    gradient, update = gradient_of(loss_fn, policy, accumulate), _updating(tx)

    def step(state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        check_state(state, policy, ema)
        scale, count, kept = state.extra.get("scale"), state.step, state.key
        key, rounding = keys_of(kept, count, policy)
        params = masters(state.params) if policy else state.params
        metrics, grads = gradient(params, batch, key, scale and scale["scale"])
        own: Metrics = {}

        weights, statistics = stats.divide(params)
        weight_grads, stat_grads = stats.divide(grads)
        if norms:
            own |= all_norms(weight_grads)
        if clipper:
            weight_grads, _ = clipper.update(weight_grads, clipper.init(weight_grads))
        updates, opt_state = update(state, weight_grads, weights, metrics["loss"])
        params = stats.unite(
            optax.apply_updates(weights, updates),  # pyright: ignore[reportArgumentType]
            stats.update(statistics, stat_grads),
        )
        params = policy.store(params, rounding) if policy else params
        extra = dict(state.extra)
        if ema is not None:
            extra["ema"] = _followed(extra["ema"], params, ema)

        after = {"params": params, "opt_state": opt_state, "extra": extra}
        if skips:
            good = is_finite((metrics["loss"], grads))
            before = {name: getattr(state, name) for name in after}
            after = jax.tree.map(functools.partial(jax.lax.select, good), after, before)
            own["skipped"] = 1 - good.astype(jnp.float32)
            if policy and scale:
                after["extra"]["scale"] = loss_scale.adapt(scale, good, policy.scale_period)
                own["loss_scale"] = scale["scale"]
        return TrainState(step=count + 1, key=kept, **after), _joined(metrics, own)

    return step


def keys_of(
    key: jax.Array, step: jax.Array, precision: Precision | None
) -> tuple[jax.Array, jax.Array | None]:
    """What a step draws with: the loss function's key, and the one for rounding at random."""
    key = threefry.fold_in(key, step)
    if precision is None or precision.rounding != "stochastic":
        return key, None
    key, rounding = threefry.split(key, 2)
    return key, rounding


def _updating(tx: "optax.GradientTransformation") -> Callable[..., tuple[Any, Any]]:
    """``tx.update``, given the loss if it takes it, as a plateau does; times the state's rate."""
    parameters = inspect.signature(tx.update).parameters
    sees_loss = "value" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def update(state: TrainState, grads: Any, weights: Any, loss: jax.Array) -> tuple[Any, Any]:
        extra = {"value": loss} if sees_loss else {}
        updates, opt_state = tx.update(grads, state.opt_state, weights, **extra)
        rate = state.extra.get("rate")
        if rate is not None:
            updates = jax.tree.map(lambda update: rate.astype(update.dtype) * update, updates)
        return updates, opt_state

    return update


def _followed(average: Any, params: Any, decay: float) -> Any:
    """The exponential average of weights one step on, with the statistics of ``params``."""

    def move(average: jax.Array, weight: jax.Array) -> jax.Array:
        return average + (1 - decay) * (weight.astype(average.dtype) - average)

    weights, statistics = stats.divide(params)
    return stats.unite(jax.tree.map(move, stats.divide(average)[0], weights), statistics)


def _joined(metrics: Metrics, own: Metrics) -> Metrics:
    if both := metrics.keys() & own.keys():
        raise ValueError(
            f"loss_fn returned the metrics {listing(sorted(both))}, which the step adds itself; "
            "call them something else"
        )
    return metrics | own


def _repeated(step: Step, steps: int) -> Step:
    def repeated(state: TrainState, batches: Any) -> tuple[TrainState, Metrics]:
        for leaf in jax.tree.leaves(batches):
            if not is_array(leaf) or leaf.shape[:1] != (steps,):
                raise ValueError(
                    f"steps={steps} needs that many batches along a first axis of each array, but "
                    f"was given {describe(leaf)}; stack them: jnp.stack(batches)"
                )
        return jax.lax.scan(step, state, batches)

    return repeated
