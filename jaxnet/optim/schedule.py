"""Learning rates along the way: functions of the step, from 0, as optax's schedules are.

Each gives PyTorch's schedule of the same kind, whose ``step()`` is called after every step of the
optimizer. Any function of the step is a schedule, and they compose as functions do.
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_choice, check_size
from jaxnet.optim.checks import check_above, check_least

type Schedule = Callable[[Any], Any]

if TYPE_CHECKING:
    import optax


def scaled(rate: float, factor: Schedule) -> Schedule:
    """``rate * factor(step)`` (PyTorch's LambdaLR).

    >>> scaled(0.1, lambda step: 0.5**step)(2)
    0.025
    """
    check_above(rate, "rate")
    return lambda step: rate * factor(step)


def multiplicative(rate: float, factor: Schedule) -> Schedule:
    """``rate * factor(1) * … * factor(step)``.

    >>> multiplicative(0.1, lambda step: 0.5)(2)
    Array(0.025, dtype=float32)
    """
    check_above(rate, "rate")
    return lambda step: jax.lax.fori_loop(
        1, jnp.asarray(step, jnp.int32) + 1, lambda i, x: x * factor(i), jnp.asarray(rate, float)
    )


def step_decay(rate: float, every: int, *, gamma: float = 0.1) -> Schedule:
    """``rate * gamma^floor(step / every)`` (StepLR).

    >>> step_decay(1.0, 10)(jnp.array(25))
    Array(0.01, dtype=float32)
    """
    check_size(every, "every")
    check_least(gamma, "gamma")
    return scaled(rate, lambda step: gamma ** jnp.floor(_float(step) / every))


def multi_step(rate: float, milestones: Sequence[int], *, gamma: float = 0.1) -> Schedule:
    """``rate`` times ``gamma`` for each milestone that has been reached (MultiStepLR).

    >>> multi_step(1.0, (10, 30))(jnp.array(25))
    Array(0.1, dtype=float32)
    """
    check_least(gamma, "gamma")
    return scaled(rate, lambda step: gamma ** sum(_float(step >= at) for at in milestones))


def constant(rate: float, *, factor: float = 1 / 3, steps: int = 5) -> Schedule:
    """``factor * rate`` for some steps, then ``rate`` (ConstantLR).

    >>> constant(1.0, factor=0.5, steps=2)(jnp.array(1))
    Array(0.5, dtype=float32)
    """
    check_size(steps, "steps")
    check_least(factor, "factor")
    return scaled(rate, lambda step: jnp.where(_float(step) < steps, _float(factor), 1))


def linear(rate: float, *, start: float = 1 / 3, end: float = 1.0, steps: int = 5) -> Schedule:
    """From ``start * rate`` to ``end * rate`` in equal steps, then as it is (LinearLR).

    >>> linear(1.0, start=0.0, steps=4)(jnp.array(1))
    Array(0.25, dtype=float32)
    """
    check_size(steps, "steps")
    return scaled(rate, lambda step: start + (end - start) * _share(step, steps))


def exponential(rate: float, gamma: float) -> Schedule:
    """``rate * gamma^step`` (ExponentialLR).

    >>> exponential(1.0, 0.5)(jnp.array(3))
    Array(0.125, dtype=float32)
    """
    check_least(gamma, "gamma")
    return scaled(rate, lambda step: gamma ** _float(step))


def polynomial(rate: float, *, steps: int = 5, power: float = 1.0) -> Schedule:
    """``rate * (1 - step / steps)^power``, then 0 (PolynomialLR).

    >>> polynomial(1.0, steps=4, power=2.0)(jnp.array(2))
    Array(0.25, dtype=float32)
    """
    check_size(steps, "steps")
    return scaled(rate, lambda step: (1 - _share(step, steps)) ** power)


def cosine(rate: float, steps: int, *, minimum: float = 0.0) -> Schedule:
    """Down to ``minimum`` in ``steps`` along half a cosine, and up again (CosineAnnealingLR).

    >>> cosine(1.0, 10)(jnp.array(5)).round(3)
    Array(0.5, dtype=float32)
    """
    check_size(steps, "steps")
    _check_minimum(minimum, rate)
    return lambda step: _cosine(rate, minimum, _float(step) / steps)


def cosine_restarts(rate: float, period: int, *, growth: int = 1, minimum: float = 0.0) -> Schedule:
    """Down a cosine again and again, in periods ``growth`` times as long each (arXiv:1608.03983).

    >>> cosine_restarts(1.0, 10)(jnp.array(10))
    Array(1., dtype=float32)
    """
    check_size(period, "period")
    check_size(growth, "growth")
    _check_minimum(minimum, rate)

    def at(step: Any) -> jax.Array:
        step = _float(step)
        if growth == 1:
            return _cosine(rate, minimum, jnp.mod(step, period) / period)
        # Whole periods before the step; the small term is against rounding down at a restart.
        n = jnp.floor(jnp.log(step / period * (growth - 1) + 1) / math.log(growth) + 1e-6)
        begun = period * (growth**n - 1) / (growth - 1)
        return _cosine(rate, minimum, (step - begun) / (period * growth**n))

    return at


def one_cycle(
    peak: float,
    steps: int,
    *,
    rise: float = 0.3,
    divide: float = 25.0,
    final_divide: float = 1e4,
    shape: str = "cosine",
    three_phase: bool = False,
) -> Schedule:
    """Up from ``peak / divide`` in a share ``rise`` of the steps, and down again.

    Super-convergence (arXiv:1708.07120). The last rate is ``peak / divide / final_divide``;
    ``shape`` is ``"cosine"`` or ``"linear"``.
    With three phases it comes down to the first rate as fast as it rose, and then to the last.

    >>> schedule = one_cycle(1.0, 101, rise=0.5)
    >>> schedule(jnp.array(0)).round(3), schedule(jnp.array(49.5)).round(3)
    (Array(0.04, dtype=float32), Array(1., dtype=float32))
    """
    check_size(steps, "steps", least=2)
    check_above(peak, "peak")
    check_choice(shape, ("cosine", "linear"), "shape", "one_cycle")
    if not 0 < rise < 1:
        raise ValueError(f"rise is the share of the steps that go up, within (0, 1), but is {rise}")
    first, last = peak / divide, peak / divide / final_divide
    ends = [rise * steps - 1, steps - 1.0]
    if three_phase:
        ends.insert(1, 2 * rise * steps - 2)
    rates = [first, peak, first, last] if three_phase else [first, peak, last]

    def at(step: Any) -> jax.Array:
        step, found = _float(step), jnp.asarray(last, float)
        begins = [0.0, *ends[:-1]]
        for i in reversed(range(len(ends))):
            share = jnp.clip((step - begins[i]) / (ends[i] - begins[i]), 0, 1)
            if shape == "cosine":
                phase = _cosine(rates[i], rates[i + 1], share)
            else:
                phase = rates[i] + (rates[i + 1] - rates[i]) * share
            found = phase if i == len(ends) - 1 else jnp.where(step <= ends[i], phase, found)
        return found

    return at


def cyclic(
    base: float,
    peak: float,
    *,
    rise: int = 2000,
    fall: int | None = None,
    mode: str = "triangular",
    gamma: float = 1.0,
) -> Schedule:
    """Up and down in straight lines, again and again (arXiv:1506.01186).

    ``mode="triangular2"`` halves the height with each cycle, and ``"exp_range"`` makes it
    ``gamma^step`` of what it was.

    >>> cyclic(0.0, 1.0, rise=4)(jnp.array(6))
    Array(0.5, dtype=float32)
    """
    fall = rise if fall is None else fall
    check_size(rise, "rise")
    check_size(fall, "fall")
    check_choice(mode, ("triangular", "triangular2", "exp_range"), "mode", "cyclic")
    whole, up = rise + fall, rise / (rise + fall)

    def at(step: Any) -> jax.Array:
        step = _float(step)
        cycle = jnp.floor(step / whole)
        x = step / whole - cycle
        height = (peak - base) * jnp.where(x <= up, x / up, (x - 1) / (up - 1))
        if mode == "triangular2":
            height = height / 2**cycle
        if mode == "exp_range":
            height = height * gamma**step
        return base + height

    return at


def inverse_sqrt(rate: float, warmup: int) -> Schedule:
    """Up to ``rate`` in ``warmup`` steps, then ``rate * sqrt(warmup / step)`` (arXiv:1706.03762).

    >>> inverse_sqrt(1.0, 10)(jnp.array(40))
    Array(0.5, dtype=float32)
    """
    check_size(warmup, "warmup")

    def factor(step: Any) -> jax.Array:
        step = _float(step)
        return jnp.minimum(step / warmup, jnp.sqrt(warmup / jnp.maximum(step, 1)))

    return scaled(rate, factor)


def warmup(schedule: Schedule, steps: int, *, start: float = 0.0) -> Schedule:
    """From ``start`` up to the first rate of ``schedule``, in equal steps, and then along it.

    >>> warmup(cosine(1.0, 100), 10)(jnp.array(5))
    Array(0.5, dtype=float32)
    """
    check_size(steps, "steps")

    def rise(step: Any) -> Any:
        return start + (schedule(0) - start) * _float(step) / steps

    return sequential([rise, schedule], [steps])


def sequential(schedules: Sequence[Schedule], milestones: Sequence[int]) -> Schedule:
    """One schedule after the other; each begins from its step 0 at its milestone (SequentialLR).

    >>> sequential([constant(1.0, factor=1.0), exponential(1.0, 0.5)], [10])(jnp.array(12))
    Array(0.25, dtype=float32)
    """
    import optax

    if len(milestones) != len(schedules) - 1:
        raise ValueError(
            f"milestones has the step at which each schedule but the first begins, but is "
            f"{list(milestones)} for {len(schedules)} schedules"
        )
    return optax.join_schedules(list(schedules), list(milestones))


def chained(rate: float, schedules: Sequence[Schedule]) -> Schedule:
    """``rate`` times what each schedule has made of it by then (ChainedScheduler).

    >>> chained(1.0, [exponential(1.0, 0.5), constant(1.0, factor=0.1)])(jnp.array(1))
    Array(0.05, dtype=float32)
    """
    check_above(rate, "rate")
    return lambda step: rate * math.prod(schedule(step) / rate for schedule in schedules)


def plateau(
    tx: "optax.GradientTransformation",
    *,
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    cooldown: int = 0,
    minimum: float = 0.0,
    every: int = 1,
) -> "optax.GradientTransformation":
    """``tx`` with steps ``factor`` times as long once the loss stops falling (ReduceLROnPlateau).

    The loss, averaged over ``every`` steps, must fall by the share ``threshold`` below the best so
    far; after more than ``patience`` times without that the factor applies, down to ``minimum`` in
    all. ``cooldown`` times after that are not counted. ``update`` takes the loss as ``value=``, as
    ``train_step`` gives it. Raises ValueError for numbers out of range.

    >>> from jaxnet.optim import gradient_descent
    >>> tx, grads = plateau(gradient_descent(1.0), patience=0), {"w": jnp.ones(1)}
    >>> _, state = tx.update(grads, tx.init(grads), grads, value=1.0)
    >>> tx.update(grads, state, grads, value=1.0)[0]["w"]
    Array([-0.1], dtype=float32)
    """
    import optax
    from optax import contrib

    if not 0 < factor < 1:
        raise ValueError(f"factor shortens the steps, within (0, 1), but is {factor}")
    check_size(patience, "patience", least=0)
    check_size(cooldown, "cooldown", least=0)
    check_size(every, "every")
    check_least(threshold, "threshold")
    check_least(minimum, "minimum")
    return optax.chain(
        tx,
        contrib.reduce_on_plateau(factor, patience + 1, threshold, 0.0, cooldown, every, minimum),
    )


def _float(step: Any) -> jax.Array:
    return jnp.asarray(step, float)


def _share(step: Any, steps: int) -> jax.Array:
    return jnp.minimum(_float(step) / steps, 1)


def _cosine(high: float, low: float, share: jax.Array) -> jax.Array:
    return low + (high - low) * (1 + jnp.cos(math.pi * share)) / 2


def _check_minimum(minimum: float, rate: float) -> None:
    check_above(rate, "rate")
    if not 0 <= minimum <= rate:
        raise ValueError(f"minimum must lie between 0 and rate={rate}, but is {minimum}")
