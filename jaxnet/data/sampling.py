"""Which examples an epoch holds and in which order, where it is not each of them once.

A sampler is anything with a ``size`` and ``indices(seed, epoch, start, stop)``, the numbers of the
examples at those positions: a function, so that a run can resume anywhere at no cost.
``Order``, plain shuffling, is one.
"""

import dataclasses
import functools
from typing import Any, Protocol

import numpy as np

from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe, listing
from jaxnet.data.order import Order, hashed, permuted, span


class Sampler(Protocol):
    """Chooses examples: a function of seed, epoch and position."""

    @property
    def size(self) -> int:
        """How many examples an epoch holds."""
        ...

    def indices(self, seed: int, epoch: int, start: int, stop: int) -> np.ndarray:
        """The numbers of the examples at positions ``start`` to ``stop`` of an epoch: int64."""
        ...


def balanced(labels: Any, *, size: int | None = None) -> Sampler:
    """Every class equally often, however many examples it has.

    ``labels [n]`` are numbers or strings, one an example. An epoch has ``size`` examples, by
    default ``n``. All members of a class are drawn once, in random order, before one is drawn
    again, and that over epochs, so that nothing of a large class is missed.
    Raises ValueError for labels that are not one row.

    >>> labels = np.array([0, 0, 0, 0, 0, 1])
    >>> np.bincount(labels[balanced(labels).indices(0, 0, 0, 6)])
    array([3, 3])
    """
    labels = _row(labels, "labels")
    names, classes = np.unique(labels, return_inverse=True)
    return _Balanced(
        _sized(size, len(labels)),
        len(labels),
        np.argsort(classes, kind="stable"),
        np.bincount(classes, minlength=len(names)),
    )


def weighted(weights: Any, *, size: int | None = None, replacement: bool = True) -> Sampler:
    """Examples drawn with probabilities proportional to ``weights [n]``, which need not sum to 1.

    An epoch has ``size`` examples, by default ``n``. With ``replacement=False`` none is drawn twice
    in an epoch: each draw is from those that are left (Efraimidis and Spirakis 2006), and all ``n``
    are sorted once an epoch.
    Raises ValueError for weights that are negative, not finite or all zero, and for a ``size`` that
    asks for more different examples than have a weight above zero.

    >>> np.bincount(weighted([0.0, 1.0, 3.0], size=400).indices(0, 0, 0, 400))
    array([  0, 100, 300])
    """
    weights = _row(weights, "weights").astype(np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        wrong = weights[~np.isfinite(weights) | (weights < 0)]
        raise ValueError(
            "weights must be finite, not negative and not all zero, but "
            + (f"there are {listing(wrong.tolist(), 4)}" if wrong.size else "all are zero")
        )
    size = _sized(size, len(weights))
    if replacement:
        bounds = weights.cumsum()
        return _Weighted(size, len(weights), bounds / bounds[-1])
    if size > np.count_nonzero(weights):
        raise ValueError(
            f"an epoch of {size} different examples was asked for, but only "
            f"{np.count_nonzero(weights)} have a weight above zero; give a smaller size"
        )
    return _Distinct(size, len(weights), weights)


def subset(indices: Any, *, shuffle: bool = True) -> Sampler:
    """Only the examples with these numbers, in a random order or, without ``shuffle``, as given.

    >>> subset([7, 5, 3]).indices(0, 0, 0, 3)
    array([5, 3, 7])
    """
    indices = _row(indices, "indices")
    if not np.issubdtype(indices.dtype, np.integer):
        raise ValueError(
            f"indices must be whole numbers of examples, but are {describe(indices)}; "
            "of a mask take np.flatnonzero(mask)"
        )
    return _Subset(len(indices), indices.astype(np.int64), Order(len(indices), shuffle=shuffle))


@dataclasses.dataclass(frozen=True)
class _Balanced:
    size: int
    examples: int
    members: np.ndarray  # sorted by class
    counts: np.ndarray  # of each class

    def indices(self, seed: int, epoch: int, start: int, stop: int) -> np.ndarray:
        # Numbered over all epochs, draws go round the classes, and passes through each class.
        draws = epoch * self.size + Order(self.size).indices(seed, epoch, start, stop)
        draws, classes = np.divmod(draws, len(self.counts))
        counts = self.counts[classes]
        passes, places = np.divmod(draws, counts)
        places = permuted(places, counts, hashed(seed, classes, passes))
        return self.members[(self.counts.cumsum() - self.counts)[classes] + places]


@dataclasses.dataclass(frozen=True)
class _Weighted:
    size: int
    examples: int
    bounds: np.ndarray  # cumulated weights, up to 1

    def indices(self, seed: int, epoch: int, start: int, stop: int) -> np.ndarray:
        places = _uniform(hashed(seed, epoch, span(seed, epoch, start, stop, self.size)))
        return np.searchsorted(self.bounds, places, side="right")


@dataclasses.dataclass(frozen=True, eq=False)
class _Distinct:
    size: int
    examples: int
    weights: np.ndarray

    def indices(self, seed: int, epoch: int, start: int, stop: int) -> np.ndarray:
        positions = span(seed, epoch, start, stop, self.size)
        return _alarms(self, seed, epoch)[positions]


@functools.lru_cache(maxsize=2)
def _alarms(sampler: _Distinct, seed: int, epoch: int) -> np.ndarray:
    numbers = np.flatnonzero(sampler.weights)
    # Each sets off an alarm at a random time, at the rate of its weight; in that order they come.
    times = -np.log1p(-_uniform(hashed(seed, epoch, numbers))) / sampler.weights[numbers]
    return numbers[np.argsort(times, kind="stable")]


@dataclasses.dataclass(frozen=True)
class _Subset:
    size: int
    numbers: np.ndarray
    order: Order

    def indices(self, seed: int, epoch: int, start: int, stop: int) -> np.ndarray:
        return self.numbers[self.order.indices(seed, epoch, start, stop)]


def _uniform(bits: np.ndarray) -> np.ndarray:
    return (bits >> np.uint64(11)) * 2.0**-53  # in [0, 1)


def _row(values: Any, what: str) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"{what} must be one row, not empty, but are {describe(values)}")
    return values


def _sized(size: int | None, default: int) -> int:
    size = default if size is None else size
    check_size(size, "size")
    return size
