"""Training on arrays: whole epochs compiled, data kept on the device."""

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe, is_array
from jaxnet.train.evaluate import averaged, batches, check_data, evaluate, gathered
from jaxnet.train.interrupt import Interrupt
from jaxnet.train.progress import Progress
from jaxnet.train.state import TrainState
from jaxnet.train.step import LossFn, Metrics, plain_step

if TYPE_CHECKING:
    import optax

# Long enough for dispatch to cost nothing, short enough for progress and Ctrl-C to be live.
_SECONDS_A_DISPATCH = 0.25


def fit(
    loss_fn: LossFn,
    tx: "optax.GradientTransformation",
    state: TrainState,
    data: Any,
    *,
    epochs: int,
    batch_size: int = 32,
    accumulate: int = 1,
    validation_data: Any = None,
    validation_split: float = 0.0,
    shuffle: bool = True,
    progress: bool = True,
) -> tuple[TrainState, dict[str, list[float]]]:
    """Train for some epochs; returns the new state and, for each metric, its mean in every epoch.

    ``data`` is a tree of arrays with one first axis, such as ``(x, y)``; ``loss_fn`` is as for
    ``train_step`` and gets batches of the same structure. A last, smaller batch is used too.
    Each epoch's order is a function of the state's key and the number of epochs behind it.
    ``validation_data``, or a random share ``validation_split`` of the data that is then not trained
    on, is evaluated after each epoch by ``loss_fn`` without a key, as ``val_…`` in the history.
    The first Ctrl-C ends training after the steps under way and returns what was learnt.
    Raises ValueError if arrays differ in length, or once the loss is no longer finite.

    >>> import optax
    >>> loss_fn = lambda params, batch, key: jnp.square(params["w"] - batch).mean()
    >>> tx = optax.sgd(0.5)
    >>> state = TrainState.create({"w": jnp.zeros(())}, tx, jax.random.key(0))
    >>> state, history = fit(loss_fn, tx, state, jnp.ones(64), epochs=2, progress=False)
    >>> history
    {'loss': [0.5, 0.0]}
    """
    check_size(epochs, "epochs")
    check_size(batch_size, "batch_size")
    size = check_data(data)
    kept = np.arange(size)
    if validation_split:
        if validation_data is not None:
            raise ValueError("give validation_data or validation_split, not both")
        kept, held_out = _divide(state, size, validation_split)
        validation_data = jax.tree.map(lambda x: x[held_out], data)
    if validation_data is not None:
        check_data(validation_data)
        validation_data = jax.tree.map(jnp.asarray, validation_data)
    on_device = jax.tree.map(jnp.asarray, data)
    epoch_of = _Epochs(_programs(loss_fn, tx, accumulate), state, on_device, batch_size)
    first = int(state.step) // -(-len(kept) // batch_size)
    history: dict[str, list[float]] = {}
    with Interrupt() as interrupt, Progress(epochs, len(kept), enabled=progress) as display:
        for epoch in range(epochs):
            order = _rng(state, first + epoch).permutation(kept) if shuffle else kept
            show = functools.partial(display.advance, epoch)
            state, means = epoch_of(state, order, interrupt, show)
            if means:
                _check_finite(means, epoch, data)
            if validation_data is not None and not interrupt.asked:
                held = evaluate(loss_fn, state.params, validation_data, batch_size=batch_size)
                means |= {f"val_{name}": value for name, value in held.items()}
            for name, value in means.items():
                history.setdefault(name, []).append(value)
            if interrupt.asked:
                display.note(f"stopped by Ctrl-C in epoch {epoch + 1}; returning what was learnt")
                break
            display.end_epoch(epoch, means)
    return state, history


class _Epochs:
    """Runs epochs in compiled dispatches, each of as many steps as take a fitting time."""

    def __init__(
        self,
        programs: tuple[Callable[..., Any], Callable[..., Any], Callable[..., Metrics]],
        state: TrainState,
        data: Any,
        batch_size: int,
    ) -> None:
        self.run, self.finish, zeros = programs
        self.none = zeros(state, jax.tree.map(lambda x: x[:batch_size], data))
        self.data, self.batch_size, self.steps = data, batch_size, 1

    def __call__(
        self,
        state: TrainState,
        order: np.ndarray,
        interrupt: Interrupt,
        show: Callable[[int, dict[str, float]], None],
    ) -> tuple[TrainState, dict[str, float]]:
        """The state after the epoch and its mean metrics: none if it was interrupted at once."""
        full, rest = batches(order, self.batch_size)
        sums, start = self.none, 0
        done = [(self.batch_size, sums)]
        while start < len(full) and not interrupt.asked:
            stop = min(start + self.steps, len(full))
            began = time.perf_counter()
            state, sums = jax.block_until_ready(self.run(state, sums, self.data, full, start, stop))
            if time.perf_counter() - began < _SECONDS_A_DISPATCH / 2:
                self.steps *= 2
            start, done = stop, [(self.batch_size, sums)]
            show(start * self.batch_size, averaged(done, start * self.batch_size))
        seen = start * self.batch_size
        if rest is not None and not interrupt.asked:
            state, last = self.finish(state, gathered(self.data, rest))
            seen += len(rest)
            done.append((len(rest), last))
        return state, averaged(done, seen) if seen else {}


@functools.lru_cache(maxsize=16)
def _programs(
    loss_fn: LossFn, tx: "optax.GradientTransformation", accumulate: int
) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Metrics]]:
    """Some steps in a row, one step, and metrics at zero; kept, so that refitting is instant."""
    step = plain_step(loss_fn, tx, accumulate=accumulate)

    def run(
        state: TrainState, sums: Metrics, data: Any, order: jax.Array, start: int, stop: int
    ) -> tuple[TrainState, Metrics]:
        def once(i: jax.Array, carry: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
            state, sums = carry
            state, metrics = step(state, gathered(data, order[i]))
            return state, jax.tree.map(jnp.add, sums, metrics)

        # A loop with bounds given at run time: one program for chunks of any length.
        return jax.lax.fori_loop(start, stop, once, (state, sums))

    def zeros(state: TrainState, batch: Any) -> Metrics:
        _, metrics = jax.eval_shape(step, state, batch)
        for name, value in metrics.items():
            if value.shape:
                raise ValueError(
                    f"fit averages scalar metrics, but {name!r} is {describe(value)}; "
                    "take its mean in loss_fn"
                )
        return {name: jnp.zeros((), value.dtype) for name, value in metrics.items()}

    return jax.jit(run, donate_argnums=0), jax.jit(step, donate_argnums=0), zeros


def _rng(state: TrainState, *stream: int) -> np.random.Generator:
    return np.random.default_rng([*np.asarray(jax.random.key_data(state.key)).tolist(), *stream])


def _divide(state: TrainState, size: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    held_out = round(size * share)
    if not 0 < held_out < size:
        raise ValueError(
            f"validation_split={share} of {size} examples leaves {size - held_out} to train on and "
            f"{held_out} to validate on; both need at least one"
        )
    order = _rng(state).permutation(size)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def _check_finite(means: dict[str, float], epoch: int, data: Any) -> None:
    if np.isfinite(means["loss"]):
        return
    broken = [
        describe(x)
        for x in jax.tree.leaves(data)
        if is_array(x) and jnp.issubdtype(x.dtype, jnp.inexact) and not jnp.isfinite(x).all()
    ]
    cause = (
        f"the data holds values that are not finite, in {', '.join(broken)}: clean it first"
        if broken
        else "the data is finite, so try a learning rate ten times lower, or inputs scaled to "
        "mean 0 and variance 1"
    )
    raise ValueError(f"the loss became {means['loss']} in epoch {epoch + 1}; {cause}")
