"""Why does it not learn? Looks at data, start, rates and results, and says what to change.

First the data, as numbers; then one short training at each of many learning rates, from the same
start. What these trainings reached is compared with what the start, the data and chance would give.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core import tree
from jaxnet.core.blueprint import Record, trace
from jaxnet.core.checks import check_key, check_positive, check_size
from jaxnet.core.errors import describe, is_array
from jaxnet.core.init import init
from jaxnet.doctor import inputs, labels, rate, result, start
from jaxnet.doctor.finding import Diagnosis, Report
from jaxnet.doctor.task import task_of
from jaxnet.doctor.trial import LOOK, Trial, epochs_of
from jaxnet.optim import adam
from jaxnet.train.step import LossFn, scored

if TYPE_CHECKING:
    import optax

_LEAST = 20  # examples below which no share means anything
_ROWS = 4096  # examples that experiments draw from
_STEPS = 100  # of a short training
_BY_HEART = 300  # steps on one batch


def diagnose(
    model: Callable[..., Any],
    loss_fn: LossFn,
    data: Any,
    *,
    tx: "optax.GradientTransformation | None" = None,
    params: dict[str, Any] | None = None,
    key: jax.Array | None = None,
    validation_data: Any = None,
    history: Mapping[str, Sequence[float]] | None = None,
    batch_size: int = 32,
    shuffle: bool = True,
    seconds: float = 30.0,
) -> Diagnosis:
    """What keeps a model from learning, in plain words, with the numbers that show it.

    ``data`` is a pair of arrays ``(x, y)``, an example a row; ``loss_fn(params, batch, key)`` is as
    for ``train_step`` and calls ``model``. Give the rest as you mean to train: the optimizer ``tx``
    (without it Adam is used, and no rate is judged), the parameters to start from if they are not
    those of ``model.init``, ``validation_data`` like ``data``, the batch size, and whether the data
    is shuffled. ``history`` of a training, as ``fit`` returns it, is judged too.
    Learning rates are tried until ``seconds`` have gone into training, compilation left out.
    Experiments use at most 4,096 examples, drawn by ``key``, of which a fifth is not trained on.
    Raises ValueError unless data are pairs of arrays of one length, of at least 20 examples.

    >>> from jaxnet import losses, nn
    >>> x = 100 * jax.random.normal(jax.random.key(0), (200, 4))
    >>> net = nn.Sequential(nn.Linear(8), nn.tanh, nn.Linear(1))
    >>> loss_fn = lambda p, batch, key: losses.mean_squared_error(net(p, batch[0]), batch[1])
    >>> diagnose(net, loss_fn, (x, x[:, :1] / 100)).faults
    ('inputs not scaled',)
    """
    check_size(batch_size, "batch_size", least=2)
    check_positive(seconds, "seconds")
    key = jax.random.key(0) if key is None else key
    check_key(key)
    x, y = _pair(data, "data")
    held = None if validation_data is None else _pair(validation_data, "validation_data")
    history = history or {}
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())
    record = Record()
    task = task_of(trace(model, jnp.asarray(x[:2]), record=record), y)

    report = Report()
    named = {"x": x, "y": y} | dict(zip(("validation x", "validation y"), held or (), strict=False))
    report.add(inputs.finite(named))
    report.add(labels.in_range(y, task))
    # What is not finite or out of range would spoil every experiment.
    if not report.findings:
        report.add(inputs.twins(x, held and held[0], rng))
        report.add(labels.order(y, task, shuffle=shuffle))
        own = init(model, key, x[:1]) if params is None else params
        rows = rng.permutation(len(x))[:_ROWS]
        trial = Trial(
            model,
            loss_fn,
            adam(1e-3) if tx is None else tx,
            own,
            task,
            (x[rows], y[rows]),
            min(batch_size, len(x) // 2),
            key,
        )
        stack = {path: len(leaf.stack) for path, leaf in record.leaves.items()}
        _experiment(report, trial, stack, rng, seconds, judge_rate=tx is not None)
        metrics = jax.eval_shape(lambda: scored(loss_fn, own, (x[:2], y[:2]), None)[1])
        report.add(labels.balance(task, {*metrics, *history}, history.get("val_accuracy")))
        report.add(inputs.constant(x))
    if history:
        report.add(result.curves(history, task.chance))
    return report.diagnosis()


def _experiment(
    report: Report,
    trial: Trial,
    stack: Mapping[str, int],
    rng: np.random.Generator,
    seconds: float,
    *,
    judge_rate: bool,
) -> None:
    """Train at many rates, then look at the start, at what the best of them reached, and at why."""
    x, y = map(np.asarray, trial.data)
    unseen, seen = np.split(np.arange(len(x)), [len(x) // 5])
    order = epochs_of(seen, _STEPS, trial.size, rng)
    before, slopes = trial.look(trial.params, seen)
    ends = rate.tried(trial, order, seconds)
    shares = rate.progress(ends, before["train loss"])
    factor = rate.best(shares)
    params, _ = trial.train(factor, order)
    after, end_slopes = trial.look(params, seen)
    skill = trial.task.skill(trial.look(params, unseen)[0])

    scale = inputs.scale(x)
    report.note(scale)
    losses = None
    if inputs.suspicious(scale, x):
        losses = [trial.train(1.0, order, x=own)[1] for own in (x, inputs.standardised(x))]
    weights, end_weights = (
        {path: np.asarray(leaf) for path, leaf in tree.flatten(p).items()}
        for p in (trial.params, params)
    )
    sound = report.first(
        start.squashed_twice(before, after, trial.task),
        inputs.unscaled(scale, losses, _STEPS),
        start.symmetric(weights, end_weights),
        start.dead(slopes, end_slopes, stack, min(len(seen), LOOK * trial.size)),
        start.vanishing(slopes, end_slopes),
        start.confident(before, trial.task),
        labels.target_scale(y, trial.task, skill),
    )
    report.note(rate.noise(after, end_slopes, trial.size))
    if sound:
        surely = labels.relation(x, y, trial.task, rng)
        report.add(labels.unrelated(surely, skill, min(len(unseen), LOOK * trial.size)))
        judgement = rate.judged(ends, before["train loss"], _STEPS)
        report.add(judgement) if judge_rate else report.note(judgement[0])
        report.add(rate.memorised(trial, seen[: trial.size], factor, _BY_HEART))


def _pair(data: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets as NumPy's arrays; raises unless they are arrays of one length."""
    pair = tuple(data) if isinstance(data, tuple | list) else (data,)
    shapes = {x.shape[:1] if is_array(x) else () for x in pair}
    if len(pair) != 2 or len(shapes) != 1 or () in shapes:
        raise ValueError(
            f"{name} must be a pair of arrays (x, y) of one length, an example a row, but is "
            f"{', '.join(map(describe, pair)) or 'empty'}"
        )
    x, y = pair
    if len(x) < _LEAST:
        raise ValueError(
            f"{name} has {len(x)} examples, but a diagnosis needs at least {_LEAST}; "
            "from fewer nothing can be told"
        )
    return np.asarray(x), np.asarray(y)
