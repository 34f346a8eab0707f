"""How fast training is, compilation left out: bookkeeping over times that the caller measured."""

from collections.abc import Hashable, Iterable, Mapping

from jaxnet.core.checks import check_at_least


class Rates:
    """Counts things and the seconds that they took, and divides the one by the other.

    Each program's first call compiles it and is left out, unless it is among those that are
    ``compiled`` already. What is counted is named by the caller:
    examples, steps, tokens, or "FLOP" (``jn.analysis.flops`` of a step).

    >>> rates = Rates()
    >>> rates.add("run", 9.0, {"examples": 64, "steps": 2})    # compiles
    >>> rates.add("run", 0.5, {"examples": 128, "steps": 4})
    >>> rates.total()
    {'seconds': 0.5, 'examples/s': 256.0, 'steps/s': 8.0}
    """

    def __init__(self, compiled: Iterable[Hashable] = ()) -> None:
        self._compiled = set(compiled)
        self._total: dict[str, float] = {}
        self._taken: dict[str, float] = {}

    def add(self, program: Hashable, seconds: float, counts: Mapping[str, float]) -> None:
        """A call of a program took some seconds for so many examples, steps, ….

        ``program`` is any name; what JAX compiles anew for another shape needs a name of its own.
        Raises ValueError for seconds below 0.
        """
        check_at_least(seconds, 0, "seconds")
        if program in self._compiled:
            for name, amount in {"seconds": seconds, **counts}.items():
                self._total[name] = self._total.get(name, 0) + amount
        self._compiled.add(program)

    def total(self) -> dict[str, float]:
        """The seconds so far, and the rate of each thing that was counted; {} before any."""
        return _per_second(self._total)

    def take(self) -> dict[str, float]:
        """As ``total``, of what came since the last ``take``.

        >>> rates = Rates()
        >>> for seconds in (9.0, 1.0, 2.0):
        ...     rates.add("run", seconds, {"steps": 4})
        ...     print(rates.take())
        {}
        {'seconds': 1.0, 'steps/s': 4.0}
        {'seconds': 2.0, 'steps/s': 2.0}
        """
        since = {name: now - self._taken.get(name, 0) for name, now in self._total.items()}
        self._taken = dict(self._total)
        return _per_second(since)


def _per_second(total: Mapping[str, float]) -> dict[str, float]:
    seconds = total.get("seconds", 0)
    if not seconds:
        return {}
    rates = {f"{name}/s": count / seconds for name, count in total.items() if name != "seconds"}
    return {"seconds": seconds, **rates}
