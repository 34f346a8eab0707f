"""Random orders that are computed, not stored: any stretch of any epoch costs only its length.

A number below ``size`` is written as two digits, and each round adds a hash of one digit to the
other. Such a Feistel network is a permutation of the grid of all pairs of digits, whatever the hash
is; the few numbers of the grid that are not below ``size`` are sent on until they are. Only
integers are used, so an order is the same on every machine: of 64 bits, or where one size is given
that suits them, of 32, which takes a third of the time.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from jaxnet.core.checks import check_size

_BLOCK = 2**14  # numbers at a time, which fit a core's cache
# Arrays, since NumPy takes longer over its scalars than over some hundred numbers.
_GOLDEN = np.array(0x9E3779B97F4A7C15, np.uint64)
_ONE = np.array(1, np.uint64)


class _Word(NamedTuple):
    """What a network of integers of some width is made of; ``half`` shifts by half of it.

    The number of rounds is even, so that the digits end where they began.
    """

    dtype: type
    rounds: int
    odd: np.ndarray
    half: np.ndarray


_WIDE = _Word(np.uint64, 12, np.array(0xBF58476D1CE4E5B9, np.uint64), np.array(32, np.uint64))
_NARROW = _Word(np.uint32, 8, np.array(0x1CE4E5B9, np.uint32), np.array(16, np.uint32))
# Fewer numbers are mixed by more rounds only, and larger digits need more bits to be drawn evenly.
_NARROW_SIZES = range(2**8, 2**24)


@dataclasses.dataclass(frozen=True)
class Order:
    """A random order of ``range(size)`` for each seed and epoch; the plain one without ``shuffle``.

    >>> order = Order(10)
    >>> order.indices(seed=0, epoch=1)
    array([0, 7, 2, 5, 8, 3, 1, 6, 9, 4])
    >>> order.indices(seed=0, epoch=1, start=4, stop=6)
    array([8, 3])
    """

    size: int
    _: dataclasses.KW_ONLY
    shuffle: bool = True

    def __post_init__(self) -> None:
        check_size(self.size, "the size of an order")

    def indices(self, seed: int, epoch: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Which numbers stand at positions ``start`` to ``stop`` of an epoch: int64."""
        positions = span(seed, epoch, start, stop, self.size)
        return self._numbers(positions, hashed(seed, epoch))

    def stretch(self, seed: int, first: int, last: int, length: int) -> np.ndarray:
        """The same of epoch after epoch, where ``length`` positions of each are used: int64.

        Positions are counted from 0 over all epochs.

        >>> Order(10).stretch(seed=0, first=8, last=11, length=9)
        array([3, 0, 7])
        """
        epochs = np.arange(first // length, -(-last // length))
        begins = epochs * length
        counts = np.minimum(begins + length, last) - np.maximum(begins, first)
        positions = np.arange(first, last) - np.repeat(begins, counts)
        return self._numbers(positions, np.repeat(hashed(seed, epochs), counts))

    def _numbers(self, positions: np.ndarray, keys: np.ndarray) -> np.ndarray:
        return permuted(positions, self.size, keys) if self.shuffle else positions


def span(seed: int, epoch: int, start: int, stop: int | None, size: int) -> np.ndarray:
    """The positions from ``start`` to ``stop``; raises unless they lie in an epoch of ``size``."""
    check_seed(seed)
    check_size(epoch, "epoch", least=0)
    stop = size if stop is None else stop
    if not 0 <= start <= stop <= size:
        raise ValueError(
            f"positions {start} to {stop} were asked for, but an epoch has positions 0 to {size}"
        )
    return np.arange(start, stop)


def check_seed(seed: int) -> None:
    """Raise unless ``seed`` is an int from 0 to 2**63 - 1."""
    check_size(seed, "seed", least=0)
    if seed >= 2**63:
        raise ValueError(f"seed must be below 2**63, but is {seed}")


def hashed(*words: int | np.ndarray) -> np.ndarray:
    """64 random bits for each combination of integers, which broadcast: uint64.

    >>> hashed(0, 1) != hashed(1, 0)
    array([ True])
    """
    bits = np.full(1, _GOLDEN)
    for word in words:
        bits = _mixed(bits + np.asarray(word).astype(np.uint64) * _GOLDEN)
    return bits


def permuted(x: np.ndarray, size: int | np.ndarray, key: np.ndarray) -> np.ndarray:
    """Where the permutation of ``range(size)`` that belongs to ``key`` sends each ``x``: int64.

    ``size`` and ``key`` may differ from number to number.
    """
    word = _NARROW if np.ndim(size) == 0 and int(size) in _NARROW_SIZES else _WIDE
    size = np.asarray(size).astype(np.uint64)
    # Any number of rows is right; the root makes the grid exceed size by less than a row.
    rows = np.ceil(np.sqrt(size.astype(np.float64))).astype(np.uint64)
    columns = (size + rows - _ONE) // rows
    y = np.array(x, np.int64)

    def send(some: Any) -> None:
        own = (part if part.size == 1 else part[some] for part in (key, rows, columns))
        y[some] = _sent(word, y[some], *own)

    for begin in range(0, len(y), _BLOCK):
        send(slice(begin, begin + _BLOCK))
    while (outside := np.flatnonzero(y.view(np.uint64) >= size)).size:
        send(outside)
    return y


def _sent(
    word: _Word, x: np.ndarray, key: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Where the permutation of the grid sends each number."""
    dtype, rounds, odd, half = word
    step = _GOLDEN
    if word is _NARROW:
        key, step = key >> _WIDE.half, key | _ONE  # all of its bits, in two parts
    x, key, step, rows, columns = (part.astype(dtype) for part in (x, key, step, rows, columns))
    left = x // columns
    right = x - left * columns
    for _ in range(rounds):
        key += step
        bits = right ^ key
        bits *= odd
        bits ^= bits >> half
        bits *= odd
        bits >>= half
        bits *= rows
        bits >>= half  # scaled to below rows
        left += bits
        np.subtract(left, rows, out=bits)
        np.minimum(left, bits, out=left)  # modulo rows, since below zero wraps to the top
        left, right, rows, columns = right, left, columns, rows
    return left * columns + right


def _mixed(x: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014): a bijection of 64 bits."""
    x = (x ^ (x >> np.uint64(30))) * _WIDE.odd
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
