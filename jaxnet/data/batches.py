"""Batches, each a function of seed, epoch and index: a run resumes anywhere at no cost."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jaxnet.core.checks import check_choice, check_size
from jaxnet.core.errors import describe
from jaxnet.data.order import Order, check_seed, hashed
from jaxnet.data.rows import is_indexed, reader
from jaxnet.data.sampling import Sampler

_BLOCK = 2**15  # positions whose order is computed at once
_IMPL = "threefry2x32"  # whose keys have the size of ours, whatever the default is


class Batches:
    """A data set in batches, in another random order each epoch.

    ``source`` is a tree of arrays with one first axis, such as ``(x, y)`` (NumPy's, JAX's, or
    mapped from a file with ``np.load(path, mmap_mode="r")``, whose rows are read as needed), or has
    ``__len__`` and ``__getitem__``, which gives one example: arrays are then stacked.

    ``remainder`` says what becomes of a last, smaller batch: ``"keep"``, ``"drop"`` (other examples
    each epoch), or ``"pad"``, where every batch is a pair ``(batch, weights)`` of equal size: the
    last is filled with its first examples again, with weights ``[B]`` of 0. instead of 1., which
    the losses take as ``weights=``. ``sampler`` (``data.balanced``, ``weighted``, ``subset``)
    chooses the examples instead of ``shuffle``. ``transform(batch, key)`` is a JAX function, such
    as an augmentation, compiled; its key is made of seed, epoch and index.
    ``shard=(process, count)`` gives a process its share of every batch, in order.

    Raises ValueError for arrays of unequal length, no examples, or sizes that do not fit.

    >>> batches = Batches((np.arange(5), np.arange(5) ** 2), 2, seed=1)
    >>> len(batches), batches.full, batches.size
    (3, 2, 5)
    >>> list(batches.epoch(0, start=1))
    [(array([0, 1]), array([0, 1])), (array([3]), array([9]))]
    """

    def __init__(
        self,
        source: Any,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        remainder: str = "keep",
        sampler: Sampler | None = None,
        transform: Callable[[Any, jax.Array], Any] | None = None,
        shard: tuple[int, int] = (0, 1),
    ) -> None:
        check_size(batch_size, "batch_size")
        check_seed(seed)
        check_choice(remainder, ("keep", "drop", "pad"), "remainder", "Batches")
        self.source, self.batch_size, self.seed = source, batch_size, seed
        self.examples, self.read = reader(source)
        self.sampler = _checked(sampler, self.examples, shuffle)
        self.remainder, self.shard = remainder, shard
        self.transform = transform
        self._transformed = None if transform is None else _compiled(transform)
        self.full, rest = divmod(self.sampler.size, batch_size)
        self.size = self.sampler.size - (rest if remainder == "drop" else 0)
        if not self.size:
            raise ValueError(
                f"batch_size={batch_size} with remainder='drop' leaves no batch of the "
                f"{self.sampler.size} examples of an epoch; give a smaller one"
            )
        _check_shard(shard, batch_size, rest if remainder == "keep" else 0)

    @property
    def arrays(self) -> Any:
        """The source, if it is a tree of arrays, else None."""
        return None if is_indexed(self.source) else self.source

    @property
    def nbytes(self) -> int:
        """The bytes of all examples; of an indexed source, as if all were like the first."""
        if self.arrays is not None:
            return sum(leaf.nbytes for leaf in jax.tree.leaves(self.source))
        first = self.read(np.zeros(1, np.int64))
        return self.examples * sum(leaf.nbytes for leaf in jax.tree.leaves(first))

    def indices(self, epoch: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """The numbers of the examples at positions ``start`` to ``stop`` of an epoch: int64.

        ``batches.read(numbers)`` gives them as one batch of NumPy arrays.
        """
        numbers = self.sampler.indices(self.seed, epoch, start, self.size if stop is None else stop)
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < self.examples:
            raise ValueError(
                f"the sampler gave numbers from {numbers.min()} to {numbers.max()}, but the "
                f"{self.examples} examples have the numbers 0 to {self.examples - 1}"
            )
        return numbers

    def key_data(self, epoch: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """The keys that ``transform`` is given in some batches of an epoch: uint32 ``[n, 2]``.

        ``jax.random.wrap_key_data(row, impl="threefry2x32")`` makes a row a key.
        """
        return self._words(epoch, np.arange(start, len(self) if stop is None else stop))

    def _words(self, epoch: int | np.ndarray, positions: np.ndarray) -> np.ndarray:
        bits = hashed(self.seed, self.shard[0], epoch, positions)
        return np.stack([bits >> np.uint64(32), bits & np.uint64(2**32 - 1)], 1).astype(np.uint32)

    def stretch(self, first: int, last: int) -> np.ndarray:
        """The numbers of the examples in some batches of the whole training, in a row: int64.

        Batches are counted from 0 over all epochs. Equal to ``indices`` epoch by epoch, but where
        the order is plain shuffling, quicker.
        """
        each = len(self)
        if isinstance(self.sampler, Order):
            begin, end = (
                batch // each * self.size + batch % each * self.batch_size
                for batch in (first, last)
            )
            return self.sampler.stretch(self.seed, begin, end, self.size)
        parts = [
            self.indices(
                epoch,
                max(first - epoch * each, 0) * self.batch_size,
                min((last - epoch * each) * self.batch_size, self.size),
            )
            for epoch in range(first // each, -(-last // each))
        ]
        return np.concatenate(parts)

    def stretch_keys(self, first: int, last: int) -> np.ndarray:
        """The ``key_data`` of some batches of the whole training: uint32 ``[n, 2]``."""
        return self._words(*np.divmod(np.arange(first, last), len(self)))

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return -(-self.size // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        """The batch that is number ``index`` of the whole training, counted from 0."""
        check_size(index, "the number of a batch", least=0)
        epoch, index = divmod(index, len(self))
        start = index * self.batch_size
        stop = min(start + self.batch_size, self.size)
        return self._batch(epoch, index, self.indices(epoch, start, stop))

    def __iter__(self) -> Iterator[Any]:
        """The batches of epoch 0."""
        return self.epoch(0)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """The batches of an epoch, from its batch number ``start``."""
        check_size(epoch, "epoch", least=0)
        check_size(start, "start", least=0)
        if start > len(self):
            raise ValueError(f"start={start}, but an epoch has {len(self)} batches")
        return self._epoch(epoch, start)

    def _epoch(self, epoch: int, start: int) -> Iterator[Any]:
        size = self.batch_size
        at_once = max(1, _BLOCK // size)
        for first in range(start, len(self), at_once):
            last = min(first + at_once, len(self))
            numbers = self.indices(epoch, first * size, min(last * size, self.size))
            for index in range(first, last):
                begin = (index - first) * size
                yield self._batch(epoch, index, numbers[begin : begin + size])

    def _batch(self, epoch: int, index: int, numbers: np.ndarray) -> Any:
        weights = np.ones(len(numbers), np.float32)
        if self.remainder == "pad":
            weights = np.pad(weights, (0, self.batch_size - len(weights)))
            numbers = np.resize(numbers, self.batch_size)
        process, count = self.shard
        part = len(numbers) // count
        share = slice(process * part, (process + 1) * part)
        batch = self.read(numbers[share])
        if self._transformed is not None:
            batch = self._transformed(batch, self.key_data(epoch, index, index + 1)[0])
        return (batch, weights[share]) if self.remainder == "pad" else batch


def _compiled(transform: Callable[[Any, jax.Array], Any]) -> Callable[[Any, np.ndarray], Any]:
    return jax.jit(
        lambda batch, words: transform(batch, jax.random.wrap_key_data(words, impl=_IMPL))
    )


def _checked(sampler: Sampler | None, examples: int, shuffle: bool) -> Sampler:
    if sampler is None:
        return Order(examples, shuffle=shuffle)
    if not shuffle:
        raise ValueError("a sampler decides the order itself; give sampler or shuffle, not both")
    if not hasattr(sampler, "size") or not hasattr(sampler, "indices"):
        raise ValueError(
            f"sampler must be one of data.balanced, weighted and subset, or have size and "
            f"indices(seed, epoch, start, stop), but is {describe(sampler)}"
        )
    made_for = getattr(sampler, "examples", examples)
    if made_for != examples:
        raise ValueError(
            f"the sampler was made from {made_for} labels or weights, but there are {examples} "
            "examples; it needs one for each"
        )
    return sampler


def _check_shard(shard: tuple[int, int], batch_size: int, rest: int) -> None:
    process, count = shard
    check_size(count, "the count of shard=(process, count)")
    check_size(process, "the process of shard=(process, count)", least=0)
    if process >= count:
        raise ValueError(f"shard={shard}, but processes are numbered from 0 to {count - 1}")
    if batch_size % count:
        raise ValueError(f"batch_size={batch_size} cannot be shared equally by {count} processes")
    if rest % count:
        raise ValueError(
            f"the last batch of {rest} examples cannot be shared equally by {count} processes; "
            "choose remainder='drop' or 'pad'"
        )
