"""Successive halving: many settings start together, and the best of them go on (arXiv:1502.07943).

The members of a rung train as one program; between rungs the worst leave and the states of the
others are packed together, so that each next program is smaller, and trains longer.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_choice, check_size
from jaxnet.core.errors import describe, is_array
from jaxnet.train.members import checked_axis, compiled
from jaxnet.train.sweep import MODES


class Rung(NamedTuple):
    """Which members trained from ``begin`` to ``end``, by their numbers, and their scores then."""

    begin: int
    end: int
    members: np.ndarray
    scores: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Halving:
    """The winner, with its settings, state and last score; and how it came to that."""

    config: dict[str, Any]
    state: Any
    score: float
    rungs: list[Rung]

    @property
    def budget(self) -> int:
        """How many units were trained, over all members."""
        return sum(len(rung.members) * (rung.end - rung.begin) for rung in self.rungs)


def successive_halving(
    start: Callable[..., Any],
    advance: Callable[..., Any],
    score: Callable[[Any], jax.Array],
    configs: Mapping[str, Any],
    *,
    rungs: int,
    factor: int = 3,
    least: int = 1,
    mode: str = "max",
) -> Halving:
    """The best of ``n`` settings, found by training few of them to the end.

    ``configs`` holds a sequence of ``n`` numbers for each hyperparameter: drawn at random, or a
    grid. ``start(**config)`` returns a member's state, any tree of arrays;
    ``advance(state, begin, end, **config)`` trains it from ``begin`` to ``end``, ints in units of
    your choice, such as epochs: ``pure_fit(…, first=begin, epochs=end - begin)``; ``score(state)``
    is a number, the higher the better, or the lower with ``mode="min"``.

    In rung r, from 0, there are ``n // factor^r`` members, trained until each has had
    ``least * factor^r`` units. So a rung costs less than the one before it or about as much, while
    ``n`` full trainings would cost ``n * least * factor^(rungs - 1)``. Members with equal scores
    go on in the order of ``configs``; one whose score is not finite ranks last.

    Raises ValueError for too few settings, for axes as ``sweep`` does, for scores that are not
    numbers, and where no member of a rung has a finite one.

    >>> halving = successive_halving(
    ...     lambda lr: 1.0,
    ...     lambda w, begin, end, lr: w * (1 - 2 * lr) ** (end - begin),      # descent on w ** 2
    ...     lambda w: w**2,
    ...     {"lr": [0.01, 0.1, 0.4, 2.0]}, rungs=2, factor=4, mode="min",
    ... )
    >>> halving.config, halving.budget, halving.rungs[0].scores.round(2)
    ({'lr': 0.4}, 7, array([0.96, 0.64, 0.04, 9.  ], dtype=float32))
    """
    check_size(rungs, "rungs")
    check_size(factor, "factor", least=2)
    check_size(least, "least")
    check_choice(mode, MODES, "mode", "successive_halving")
    configs = {name: checked_axis(name, axis) for name, axis in configs.items()}
    sizes = {name: len(axis) for name, axis in configs.items()}
    if len(set(sizes.values())) != 1:
        raise ValueError(f"configs needs one value for each member and name, but has {sizes}")
    members = np.arange(next(iter(sizes.values())))
    if len(members) < factor ** (rungs - 1):
        raise ValueError(
            f"{rungs} rungs that keep 1 in {factor} need at least {factor ** (rungs - 1)} "
            f"settings, but configs has {len(members)}; give more, or fewer rungs"
        )

    kept, states, end, total = members, None, 0, len(members)
    history: list[Rung] = []
    for number in range(rungs):
        begin, end = end, least * factor**number
        members = members[kept]
        given = states, kept, {name: axis[members] for name, axis in configs.items()}
        program = _program(start, advance, score, begin, end)
        whole = lambda **config: score(advance(start(**config), 0, least, **config))
        states, scores = compiled(program, given, whole, configs)(*given)
        scores = np.asarray(scores)
        history.append(Rung(begin, end, members, scores))
        finite = np.isfinite(scores)
        if not finite.any():
            raise ValueError(
                f"no member of rung {number} has a finite score: all diverged; widen configs, to "
                "smaller learning rates first"
            )
        costs = scores.astype(float) if mode == "min" else -scores.astype(float)
        best = np.argsort(np.where(finite, costs, np.inf), kind="stable")
        kept = np.sort(best[: total // factor ** (number + 1)]) if number + 1 < rungs else best[:1]
    (winner,) = kept
    config = {name: axis[members[winner]].item() for name, axis in configs.items()}
    state = jax.tree.map(lambda x: x[winner], states)
    return Halving(config, state, float(history[-1].scores[winner]), history)


def _program(
    start: Callable[..., Any],
    advance: Callable[..., Any],
    score: Callable[[Any], jax.Array],
    begin: int,
    end: int,
) -> jax.stages.Wrapped:
    """``states, scores`` of a rung, from those before, which of them go on, and their settings."""

    def one(state: Any, config: dict[str, jax.Array]) -> tuple[Any, jax.Array]:
        state = advance(state, begin, end, **config)
        value = score(state)
        if not is_array(value) or value.shape or not jnp.issubdtype(value.dtype, jnp.floating):
            raise ValueError(
                f"score must return a real number for each member, but returned {describe(value)}; "
                "take a mean or a last value"
            )
        return state, value

    def rung(states: Any, kept: jax.Array, configs: dict[str, jax.Array]) -> Any:
        if begin:
            states = jax.tree.map(lambda x: x[kept], states)
        else:
            states = jax.vmap(lambda config: start(**config))(configs)
        return jax.vmap(one)(states, configs)

    return jax.jit(rung)
