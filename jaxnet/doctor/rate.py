"""How training answers to the rate and the batch: which rate learns, what one batch teaches."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxnet.doctor.finding import Check, Finding
from jaxnet.doctor.trial import LOOK, Trial

# Factors on the user's own rate: that one first, then outwards, in case time runs out.
_DECADES = sorted(range(-4, 5), key=lambda power: (abs(power), power))
_BETWEEN = sorted((p + 0.5 for p in range(-4, 4)), key=abs)
FACTORS = tuple(10.0**power for power in (*_DECADES, *_BETWEEN))
TAIL = 20  # steps whose mean loss stands for the end of a training


def tried(trial: Trial, order: np.ndarray, seconds: float) -> dict[float, float]:
    """The loss at the end of a short training, for each factor that there is time for."""
    ends: dict[float, float] = {}
    for factor in FACTORS:
        if len(ends) < 3 or trial.spent < 0.6 * seconds:
            ends[factor] = ending(trial.train(factor, order)[1])
    return ends


def ending(losses: np.ndarray) -> float:
    """The mean of the last losses; infinity where one of them all is not finite."""
    return float(losses[-TAIL:].mean()) if np.isfinite(losses).all() else math.inf


def progress(ends: Mapping[float, float], start: float) -> dict[float, float]:
    """Each rate's fall of the loss, as a share of the largest; empty if none falls by a tenth.

    >>> progress({1.0: 1.9, 10.0: 1.0}, 2.0)
    {1.0: 0.1, 10.0: 1.0}
    """
    fall = start - min(ends.values())
    if not fall > 0.1 * abs(start):
        return {}
    return {factor: (start - end) / fall for factor, end in ends.items()}


def best(shares: Mapping[float, float]) -> float:
    """The lowest factor with nearly the largest fall: higher ones only suit the first steps."""
    return min((factor for factor, share in shares.items() if share > 0.8), default=1.0)


def judged(ends: Mapping[float, float], start: float, steps: int) -> Check:
    """Whether the user's own rate, the factor 1, is far from one that learns."""
    shares = progress(ends, start)
    factor = best(shares)
    measured = {
        "rate: loss before": start,
        "rate: loss after a short training": ends[1.0],
        "rate: lowest loss with another rate": min(ends.values()),
        "rate: the best rate, as a multiple of yours": factor,
    }
    if not shares:
        return measured, None
    low = min(ends.values())
    if factor < 1 / 30 and shares[1.0] < 0.2:
        own = "is not finite" if math.isinf(ends[1.0]) else f"is {ends[1.0]:.3g}"
        return measured, Finding(
            "learning rate too high",
            "fault",
            1 / factor,
            f"From {start:.3g} before training, the loss after {steps} steps {own}; with "
            f"{factor:.1g} times your learning rate it is {low:.3g}.",
            f"a learning rate about {1 / factor:,.0f} times lower, and a warm-up: jn.optim.warmup.",
        )
    if min(f for f, share in shares.items() if share > 0.3) > 80 and shares[1.0] < 0.05:
        return measured, Finding(
            "learning rate too low",
            "fault",
            factor,
            f"In {steps} steps the loss moves from {start:.3g} to {ends[1.0]:.3g} only; with "
            f"{factor:,.0f} times your learning rate it reaches {low:.3g}.",
            f"a learning rate about {factor:,.0f} times higher. (If yours begins with a warm-up "
            "longer than these steps, judge by the rate it ends at.)",
        )
    return measured, None


def memorised(trial: Trial, rows: np.ndarray, factor: float, steps: int) -> Check:
    """Whether the model learns one batch by heart, at the given rate or one near it."""
    skill, order = -math.inf, np.tile(rows.astype(np.int32), (steps, 1))
    for scale in (1.0, 0.3, 3.0):
        found, _ = trial.look(trial.train(scale * factor, order)[0], rows)
        # Dropout makes the training call the worse one, statistics still on their way the other.
        trained = {name[6:]: value for name, value in found.items() if name.startswith("train ")}
        skill = max(skill, trial.task.skill(found), trial.task.skill(trained))
        if skill > 0.9 or math.isnan(skill):
            break
    measured = {"batch: skill after learning it by heart": skill}
    least = 0.8 if trial.task.classes else 0.25
    if math.isnan(skill) or skill >= least:
        return measured, None
    return measured, Finding(
        "model too small",
        "fault",
        skill,
        f"The model cannot even learn {len(rows)} examples by heart: after {steps} steps on one "
        f"batch, at the best of several rates, its skill on it is {skill:.2f} (0 is one "
        "answer for all, 1 is perfect).",
        "more units, or one more layer; look for a narrow layer in jn.analysis.summary(model, x). "
        "If that does not help, check that the loss compares the outputs with the right labels. "
        "(A model meant to be that simple, such as a linear one on noisy data, may stay.)",
    )


def noise(found: Mapping[str, float], grads: Mapping[str, Any], size: int) -> dict[str, float]:
    """The gradient noise scale (arXiv:1812.06162), and the batch size that it suggests.

    It is the trace of the gradients' covariance over the squared norm of their mean: below it a
    larger batch makes a step better in proportion, above it hardly. Estimated from the squared
    norms of the gradients of batches of ``size`` and of ``LOOK`` of them together.
    """
    whole = LOOK * size
    square = sum(
        float(np.square(g.astype(np.float64)).sum())
        for path, g in grads.items()
        if "stats" not in path.split("/")
    )
    signal = (whole * square - size * found["square"]) / (whole - size)
    trace = (found["square"] - square) / (1 / size - 1 / whole)
    if not (signal > 0 and trace > 0):
        return {}
    scale = trace / signal
    return {
        "batch: gradient noise scale, in examples": scale,
        "batch: a size that suits it": float(2 ** round(math.log2(min(max(scale, 8), 4096)))),
    }
