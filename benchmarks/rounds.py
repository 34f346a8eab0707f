"""Contenders in turns, round after round, until each has enough that nobody disturbed."""

import time
from collections.abc import Callable, Sequence

from benchmarks.contender import Contender
from benchmarks.quiet import Watch

Say = Callable[[str], None]


def measure(
    contenders: Sequence[Contender],
    kind: str,
    rounds: int,
    seconds: float,
    together: bool,
    say: Say,
) -> list[Contender]:
    """Fill in the times of those that run; the others are named and left out."""
    if kind == "process":
        return _whole(contenders, rounds, say)
    if together:
        return _resident(contenders, rounds, seconds, say)
    return [done for each in contenders for done in _resident([each], rounds, seconds, say)]


def _whole(contenders: Sequence[Contender], rounds: int, say: Say) -> list[Contender]:
    ready = []
    for each in contenders:
        try:
            each.whole()  # afterwards its files are in memory, and compiled
        except RuntimeError as problem:
            say(str(problem))
            continue
        ready.append(each)
    return _measure(ready, lambda each: each.whole(), rounds)


def _resident(
    contenders: Sequence[Contender], rounds: int, seconds: float, say: Say
) -> list[Contender]:
    started = []
    try:
        for each in contenders:
            try:
                each.start()
            except RuntimeError as problem:
                say(str(problem))
                each.stop()
                continue
            started.append(each)
            _warm_up(each, seconds)
        return _measure(started, lambda each: each.run(each.units), rounds)
    finally:
        for each in started:
            each.stop()


def _warm_up(contender: Contender, seconds: float) -> None:
    """Run for a round's time; then the units that fill it are known."""
    until, units = time.perf_counter() + seconds, 1
    while True:
        each = contender.run(units)
        fill = max(1, round(seconds / each))
        if time.perf_counter() > until:
            break
        units = min(2 * units, fill)
    contender.units = fill


def _measure(
    contenders: Sequence[Contender], timed: Callable[[Contender], float], rounds: int
) -> list[Contender]:
    # What others disturb again and again is reported with the rounds it has.
    for turn in range(3 * rounds):
        for i in range(len(contenders)):
            each = contenders[(turn + i) % len(contenders)]
            if len(each.times) == rounds:
                continue
            watch = Watch()
            taken = timed(each)
            if watch.disturbed():
                each.disturbed += 1
            else:
                each.times.append(taken)
    return [each for each in contenders if each.times]
