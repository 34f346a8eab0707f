"""Which input of an operation spoils its output: found by experiment.

The operation runs again with the bad entries of its inputs replaced by harmless ones. If its result
is still bad, it made the value itself. Else the bad entries are put back, by halves, until one is
left that spoils the result.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

# In the domain of every operation lies one of them.
_HARMLESS = (0.5, 1.5)


@dataclasses.dataclass(frozen=True)
class Mark:
    """Entries of an array, by flat index, of which one at least is NaN, or else infinite."""

    nan: bool
    at: np.ndarray

    def holds(self, x: Any) -> bool:
        """Whether the array is still bad there."""
        entries = np.asarray(x).ravel()[self.at]
        return bool((np.isnan(entries) if self.nan else ~np.isfinite(entries)).any())


@dataclasses.dataclass(frozen=True)
class Lead:
    """The walk goes on at an input: by position."""

    index: int
    mark: Mark


def marks(x: Any) -> list[Mark]:
    """The entries that are NaN, and those that are infinite."""
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return []
    entries = np.asarray(x).ravel()
    found = [(True, np.flatnonzero(np.isnan(entries))), (False, np.flatnonzero(np.isinf(entries)))]
    return [Mark(nan, at) for nan, at in found if at.size]


def suspect(
    ask: Callable[[list[Any]], list[Any]], args: list[Any], out: int, mark: Mark, *, whole: bool
) -> Lead | None:
    """The input that spoils output ``out`` of ``ask(args)`` where it is marked; None if no input.

    Where infinite inputs make a NaN only together, as in ``inf - inf``, it is the first of them;
    with ``whole``, for an operation that can be walked into, it is None then, and as well where
    one makes a NaN alone: the operation that does so is worth a look.
    """

    def spoils(*kept: Lead) -> bool:
        inputs = [_cleaned(x, i, kept, harmless) for i, x in enumerate(args)]
        return mark.holds(ask(inputs)[out])

    # NaN first: what is infinite may be on its way to a mask.
    leads = [Lead(i, found) for i, x in enumerate(args) for found in marks(x)]
    leads.sort(key=lambda lead: not lead.mark.nan)
    for harmless in _HARMLESS if leads else ():  # noqa: B007
        if spoils():
            continue
        for lead in leads:
            if not (whole and mark.nan and not lead.mark.nan) and spoils(lead):
                return _narrowed(lead, mark, spoils)
        return None if whole else leads[0]
    return None


def _cleaned(x: Any, index: int, kept: Sequence[Lead], harmless: float) -> Any:
    """The input with harmless values in place of bad ones, but those that are kept."""
    found = marks(x)
    if not found:
        return x
    clean = np.array(x)
    for mark in found:
        clean.reshape(-1)[mark.at] = harmless
    for lead in kept:
        if lead.index == index:
            clean.reshape(-1)[lead.mark.at] = np.asarray(x).reshape(-1)[lead.mark.at]
    return jnp.asarray(clean)


def _narrowed(lead: Lead, mark: Mark, spoils: Callable[..., bool]) -> Lead:
    """The lead with as few entries as still spoil the output where it is marked."""
    at = lead.mark.at
    while at.size > 1:
        # Most operations work entry by entry.
        same, half = np.intersect1d(at, mark.at), at.size // 2
        parts = [same] * (0 < same.size < at.size) + [at[:half], at[half:]]
        tried = (Lead(lead.index, Mark(lead.mark.nan, part)) for part in parts)
        smaller = next((lead for lead in tried if spoils(lead)), None)
        if smaller is None:
            break
        at = smaller.mark.at
    return Lead(lead.index, Mark(lead.mark.nan, at))
