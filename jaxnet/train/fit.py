"""``fit``: epochs, validation, callbacks and checkpoints around a compiled loop of steps.

What comes next is a function of the ``Run`` that is carried and of the data's order, which is one
of (seed, epoch, index). So a run that was killed goes on from its last checkpoint bit for bit.
"""

import contextlib
import functools
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxnet.core.checks import check_at_least, check_choice, check_size
from jaxnet.train.compile_cache import compile_cache
from jaxnet.train.dispatch import Programs
from jaxnet.train.evaluate import evaluate
from jaxnet.train.event import Callback
from jaxnet.train.feed import stays, training_batches, validation_batches
from jaxnet.train.history import History, Mode
from jaxnet.train.interrupt import Interrupt
from jaxnet.train.loop import Goal, Loop
from jaxnet.train.precision import Precision, as_precision
from jaxnet.train.progress import Progress
from jaxnet.train.resident import Resident, rest
from jaxnet.train.resume import Keeper
from jaxnet.train.run import Run
from jaxnet.train.state import TrainState
from jaxnet.train.step import LossFn
from jaxnet.train.streamed import Streamed
from jaxnet.train.watch import Watch

if TYPE_CHECKING:
    import optax


def fit(
    loss_fn: LossFn,
    tx: "optax.GradientTransformation",
    state: TrainState,
    data: Any,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    batch_size: int | None = None,
    shuffle: bool = True,
    validation_data: Any = None,
    validation_split: float = 0.0,
    accumulate: int = 1,
    precision: Precision | str | None = None,
    clip: float | None = None,
    ema: float | None = None,
    skip_nonfinite: bool = False,
    norms: bool = False,
    callbacks: Sequence[Callback] = (),
    best: str | None = None,
    mode: Mode = "min",
    folder: str | os.PathLike[str] | None = None,
    config: Mapping[str, Any] | None = None,
    save_seconds: float = 30.0,
    stream: bool | None = None,
    steps_per_dispatch: int | None = None,
    progress: bool = True,
) -> tuple[TrainState, History]:
    """Train; returns the new state and, for each metric, its mean in every epoch.

    ``data`` is a tree of arrays with one first axis, such as ``(x, y)``, or batches of your own:
    ``jn.data.Batches``, ``Buckets`` or ``Stream``, which then say their own size and order.
    ``loss_fn`` is as for ``train_step``, and so are ``accumulate``, ``precision``, ``clip``,
    ``ema``, ``skip_nonfinite`` and ``norms``. A last, smaller batch is used too. Each epoch's order
    is a function of the state's key and the number of epochs behind it.

    Training ends after ``epochs`` or ``steps`` from the state given, after ``seconds``, when a
    callback returns ``Stop``, or at the first Ctrl-C, after the steps under way; the state then
    holds what was learnt. ``validation_data``, or a random share ``validation_split`` that is then
    not trained on, is evaluated after each epoch by ``loss_fn`` without a key, with the averaged
    weights if there are such, as ``val_…`` in the history. ``best="val_loss"`` returns the
    parameters of the epoch where that was least, or with ``mode="max"`` greatest.

    With a ``folder`` the run is written there: what is needed to repeat it, with your ``config``,
    and a checkpoint every ``save_seconds`` and at the end. Called again, with the same arguments,
    it goes on from there, to the same bits as if it had never stopped.

    Data that fits is kept on the device, else it streams, unless ``stream`` decides. A dispatch
    runs about a quarter of a second's steps, or ``steps_per_dispatch``, and ends with an epoch only
    where something follows on it, as validation does; the results do not depend on it.
    Raises ValueError if arrays differ in length, or once the loss is no longer finite, naming the
    step, the layer and the operation.

    >>> import jax, jax.numpy as jnp, optax
    >>> loss_fn = lambda params, batch, key: jnp.square(params["w"] - batch).mean()
    >>> tx = optax.sgd(0.5)
    >>> state = TrainState.create({"w": jnp.zeros(())}, tx, jax.random.key(0))
    >>> state, history = fit(loss_fn, tx, state, jnp.ones(64), epochs=2, progress=False)
    >>> history
    {'loss': [0.5, 0.0]}
    """
    check_choice(mode, ("min", "max"), "mode", "fit")
    check_at_least(save_seconds, 0, "save_seconds")
    if steps_per_dispatch is not None:
        check_size(steps_per_dispatch, "steps_per_dispatch")
    if folder is None and config is not None:
        raise ValueError("config is written into the folder of the run; give folder, too")
    batches, held_out = training_batches(data, state, batch_size, shuffle, validation_split)
    if held_out is not None:
        if validation_data is not None:
            raise ValueError("give validation_data or validation_split, not both")
        validation_data = held_out
    if validation_data is not None:
        size = getattr(batches, "batch_size", 256)
        validation_data = validation_batches(validation_data, size)
    compile_cache()
    policy = as_precision(precision)
    options = {
        "accumulate": accumulate,
        "precision": policy,
        "clip": clip,
        "ema": ema,
        "skip_nonfinite": skip_nonfinite,
        "norms": norms,
    }
    resident, where = stays(batches, stream)
    if resident:
        kind = batches.transform, rest(batches)
        programs = _programs(loss_fn, tx, tuple(options.items()), *kind)
        # Nobody asks for the state at the end of an epoch.
        across = not (callbacks or best or folder or validation_data is not None)
        engine = Resident(programs, batches, state, steps_per_dispatch, across=across)
    else:
        programs = _programs(loss_fn, tx, tuple(options.items()), None, 0)
        engine = Streamed(programs, batches, state, steps_per_dispatch)
    run = Run.at(state, engine.length)
    goal = Goal.after(run, epochs, steps, seconds)
    if best is not None:
        run.copy_best()

    def validate(state: TrainState) -> dict[str, float]:
        return evaluate(loss_fn, state.averaged, validation_data, precision=policy)

    with contextlib.ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        display = stack.enter_context(Progress(enabled=progress))
        stack.callback(engine.close)
        display.note(where)
        keeper = None
        if folder is not None:
            order = {name: getattr(batches, name, None) for name in ("size", "batch_size", "seed")}
            made_of = options | order | {"best": best, "mode": mode}
            keeper = Keeper(folder, {"fit": made_of, "config": config or {}}, save_seconds)
            stack.enter_context(keeper)
            display.note(keeper.resume(run))
            callbacks = [keeper.folder, *callbacks]
        loop = Loop(
            run,
            goal,
            engine,
            Watch(loss_fn, programs.step, batches, policy, accumulate),
            display,
            keeper,
            callbacks,
            validate if validation_data is not None else None,
            None if best is None else (best, mode),
        )
        means = loop.go(interrupt)
    return run.result(means)


@functools.lru_cache(maxsize=16)
def _programs(
    loss_fn: LossFn,
    tx: "optax.GradientTransformation",
    options: tuple[tuple[str, Any], ...],
    transform: Any,
    rest: int,
) -> Programs:
    return Programs(loss_fn, tx, dict(options), transform, rest)
