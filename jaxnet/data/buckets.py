"""Batches of sequences of like length, so that little of them is padding."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from jaxnet.core.checks import check_choice, check_size
from jaxnet.data.order import Order, check_seed, hashed, permuted
from jaxnet.data.rows import count
from jaxnet.data.sequences import ragged


class Buckets:
    """Batches of sequences of like length, padded to the boundary above it.

    ``sequences`` is a list of arrays ``[T]`` or ``[T, …]`` and ``boundaries`` the lengths to pad
    to, such as ``(16, 64, 256)``. Each batch has either ``batch_size`` sequences, or as many as
    make up ``batch_tokens`` with their padding. A batch is a dict with ``"tokens"`` ``[B, T, …]``,
    padded with ``pad``, and ``"lengths"`` ``[B]``; with ``labels``, a tree of arrays with one entry
    a sequence, also ``"labels"``. The last batch of a bucket is filled with rows of length 0 (and
    labels of 0), so that there is one shape a bucket; ``remainder`` can be ``"keep"``, for a
    smaller batch, or ``"drop"``. The order is a function of seed and epoch; ``epoch(epoch, start)``
    begins anywhere at no cost.
    Raises ValueError for sequences that are empty or longer than the last boundary.

    >>> buckets = Buckets([[1, 2], [3], [4, 5, 6]], (2, 4), batch_size=2, shuffle=False)
    >>> for batch in buckets:
    ...     print(batch["tokens"].tolist(), batch["lengths"])
    [[1, 2], [3, 0]] [2 1]
    [[4, 5, 6, 0], [0, 0, 0, 0]] [3 0]
    """

    def __init__(
        self,
        sequences: Sequence[Any],
        boundaries: Sequence[int],
        *,
        batch_size: int | None = None,
        batch_tokens: int | None = None,
        labels: Any = None,
        pad: float = 0,
        seed: int = 0,
        shuffle: bool = True,
        remainder: str = "pad",
    ) -> None:
        self.sequences, lengths = ragged(sequences)
        check_seed(seed)
        check_choice(remainder, ("pad", "keep", "drop"), "remainder", "Buckets")
        if labels is not None and count(labels) != len(lengths):
            raise ValueError(f"there are {count(labels)} labels for {len(lengths)} sequences")
        self.boundaries, self.sizes = _sizes(boundaries, batch_size, batch_tokens)
        if lengths.max() > self.boundaries[-1]:
            raise ValueError(
                f"a sequence of length {lengths.max()} is longer than the last boundary, "
                f"{self.boundaries[-1]}; add a boundary, or cut the sequence"
            )
        self.labels, self.pad = labels, pad
        self.seed, self.shuffle, self.remainder = seed, shuffle, remainder
        bucket = np.searchsorted(self.boundaries, lengths)
        self._members = [np.flatnonzero(bucket == b) for b in range(len(self.boundaries))]
        counts = np.array([len(members) for members in self._members])
        batches = counts // self.sizes if remainder == "drop" else -(-counts // self.sizes)
        if not batches.any():
            raise ValueError(
                "with remainder='drop' no bucket has enough sequences for one batch: "
                f"{counts.tolist()} for batches of {self.sizes.tolist()}"
            )
        self._ends = batches.cumsum()
        self._order = Order(len(self), shuffle=shuffle)
        self.size = int(np.minimum(counts, batches * self.sizes).sum())

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return int(self._ends[-1])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The batches of epoch 0."""
        return self.epoch(0)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The batch that is number ``index`` of the whole training, counted from 0."""
        check_size(index, "the number of a batch", least=0)
        epoch, index = divmod(index, len(self))
        return self._batch(epoch, int(self._order.indices(self.seed, epoch, index, index + 1)[0]))

    def epoch(self, epoch: int, start: int = 0) -> Iterator[dict[str, Any]]:
        """The batches of an epoch, from its batch number ``start``."""
        check_size(start, "start", least=0)
        if start > len(self):
            raise ValueError(f"start={start}, but an epoch has {len(self)} batches")
        order = self._order.indices(self.seed, epoch, start)
        return (self._batch(epoch, int(number)) for number in order)

    def _batch(self, epoch: int, number: int) -> dict[str, Any]:
        b = int(np.searchsorted(self._ends, number, side="right"))
        number -= int(self._ends[b - 1]) if b else 0
        members, size, length = self._members[b], int(self.sizes[b]), int(self.boundaries[b])
        places = np.arange(number * size, min((number + 1) * size, len(members)))
        if self.shuffle:
            places = permuted(places, len(members), hashed(self.seed, epoch, b))
        rows = size if self.remainder == "pad" else len(places)
        first = self.sequences[0]
        tokens = np.full((rows, length, *first.shape[1:]), self.pad, first.dtype)
        lengths = np.zeros(rows, np.int32)
        for row, i in enumerate(members[places]):
            lengths[row] = len(self.sequences[i])
            tokens[row, : lengths[row]] = self.sequences[i]
        batch: dict[str, Any] = {"tokens": tokens, "lengths": lengths}
        if self.labels is not None:

            def labelled(x: Any) -> np.ndarray:
                out = np.zeros((rows, *x.shape[1:]), x.dtype)
                out[: len(places)] = np.asarray(x)[members[places]]
                return out

            batch["labels"] = jax.tree.map(labelled, self.labels)
        return batch


def _sizes(
    boundaries: Sequence[int], batch_size: int | None, batch_tokens: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The boundaries and the number of sequences in each bucket's batches."""
    edges = np.asarray(boundaries)
    if edges.ndim != 1 or not edges.size or edges[0] < 1 or (np.diff(edges) <= 0).any():
        raise ValueError(
            f"boundaries must be rising lengths such as (16, 64), but are {boundaries}"
        )
    if (batch_size is None) == (batch_tokens is None):
        raise ValueError("give either batch_size or batch_tokens")
    if batch_tokens is None:
        check_size(batch_size, "batch_size")
        return edges, np.full(len(edges), batch_size)
    check_size(batch_tokens, "batch_tokens")
    if batch_tokens < edges[-1]:
        raise ValueError(
            f"batch_tokens={batch_tokens} is less than one sequence padded to the last boundary, "
            f"{edges[-1]}; give more, or a lower boundary"
        )
    return edges, batch_tokens // edges
