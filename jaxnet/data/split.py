"""Data in parts: to train on, to choose by, to test on; and folds for cross validation."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe, listing
from jaxnet.data.order import Order
from jaxnet.data.rows import count


def split(
    data: Any, shares: Sequence[float], *, stratify: Any = None, groups: Any = None, seed: int = 0
) -> list[Any]:
    """Random parts of a tree of arrays, one for each of ``shares``, which sum to 1.

    Every example is in one part, and each part keeps the order of the data. ``stratify [n]`` gives
    every part its share of each class, within one example. ``groups [n]`` names what must stay
    together, such as the patient of an image: the shares are then met as nearly as groups allow.
    Both together are met as nearly as possible. For parts of a file too large to copy, split
    ``np.arange(n)`` and give them to ``data.subset``.
    Raises ValueError for a part without examples, a class with fewer members than there are parts,
    and too few groups.

    >>> train, test = split(np.arange(10), (0.8, 0.2), stratify=[0, 1] * 5)
    >>> train.tolist(), (test % 2).tolist()
    ([0, 1, 4, 5, 6, 7, 8, 9], [0, 1])
    """
    shares = list(shares) if isinstance(shares, Sequence | np.ndarray) else [shares]
    if len(shares) < 2 or not all(share > 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(
            "shares must be two or more numbers above 0 that sum to 1, such as (0.8, 0.2), but are "
            f"{tuple(shares)}"
        )
    part = _parts(count(data), np.asarray(shares, np.float64), stratify, groups, seed)
    return [_taken(data, part == number) for number in range(len(shares))]


def folds(
    data: Any, k: int, *, stratify: Any = None, groups: Any = None, seed: int = 0
) -> list[tuple[Any, Any]]:
    """For cross validation, ``k`` pairs ``(train, held_out)``: each example is held out once.

    ``stratify`` and ``groups`` are as for ``split``.

    >>> [held_out.tolist() for train, held_out in folds(np.arange(5), 2)]
    [[1, 2, 4], [0, 3]]
    """
    check_size(k, "the number of folds", least=2)
    part = _parts(count(data), np.full(k, 1 / k), stratify, groups, seed)
    return [(_taken(data, part != number), _taken(data, part == number)) for number in range(k)]


def _taken(data: Any, mask: np.ndarray) -> Any:
    kept = np.flatnonzero(mask)
    return jax.tree.map(lambda x: x[kept], data)


def _parts(size: int, shares: np.ndarray, stratify: Any, groups: Any, seed: int) -> np.ndarray:
    """The number of the part of each example."""
    classes = _numbered(stratify, size, "stratify") if stratify is not None else np.zeros(size, int)
    members = np.bincount(classes)
    if stratify is not None and groups is None and members.min() < len(shares):
        rare = np.unique(np.asarray(stratify))[members < len(shares)]
        raise ValueError(
            f"each of {len(shares)} parts needs a member of every class, but too few have "
            f"{listing(rare.tolist())}; join rare classes, leave them out, or do not stratify"
        )
    order = Order(size).indices(seed, 0)
    if groups is None:
        part = _divided(classes, shares, order)
    else:
        part = _assigned(classes, _numbered(groups, size, "groups"), shares, order)
    empty = np.flatnonzero(np.bincount(part, minlength=len(shares)) == 0)
    if empty.size:
        raise ValueError(
            f"a share of {shares[empty[0]]:.3g} of {size} examples leaves part {empty[0]} empty; "
            "give it a larger share"
        )
    return part


def _numbered(values: Any, size: int, what: str) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (size,):
        raise ValueError(
            f"{what} needs one value for each of the {size} examples, but is {describe(values)}"
        )
    return np.unique(values, return_inverse=True)[1]


def _divided(classes: np.ndarray, shares: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Each class in its shares, rounded so that the parts, too, come near theirs."""
    part = np.empty(len(classes), int)
    owed = np.zeros(len(shares))  # by what earlier roundings gave each part too little
    for number in range(classes.max() + 1):
        members = order[classes[order] == number]
        exact = shares * len(members)
        counts = np.floor(exact + 1e-9).astype(int)
        fractions = exact - counts
        # Only where something was cut off may one be added, so that a class is within one.
        ranks = np.argsort(np.where(fractions > 1e-9, -(fractions + owed), np.inf), kind="stable")
        counts[ranks[: len(members) - counts.sum()]] += 1
        owed += exact - counts
        part[members] = np.repeat(np.arange(len(shares)), counts)
    return part


def _assigned(
    classes: np.ndarray, groups: np.ndarray, shares: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """Groups in random order, each to the part that most lacks what the group has."""
    counts = np.zeros((groups.max() + 1, classes.max() + 1))
    np.add.at(counts, (groups, classes), 1)
    if len(counts) < len(shares):
        raise ValueError(
            f"{len(shares)} parts need as many groups, but there are {len(counts)}; "
            "a group is never divided"
        )
    lacking = np.outer(shares, counts.sum(0))
    weights = 1 / counts.sum(0)  # all classes count the same
    chosen = np.full(len(counts), -1)
    firsts = np.sort(np.unique(groups[order], return_index=True)[1])
    for left, group in zip(range(len(counts), 0, -1), groups[order][firsts], strict=True):
        empty = ~np.isin(np.arange(len(shares)), chosen)
        gain = lacking @ (counts[group] * weights)
        if left <= empty.sum():  # now or never
            gain = np.where(empty, gain, -np.inf)
        chosen[group] = gain.argmax()
        lacking[chosen[group]] -= counts[group]
    return chosen[groups]
