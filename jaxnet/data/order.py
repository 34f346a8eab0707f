"""Random orders that are computed, not stored: any stretch of any epoch costs only its length.

A number below ``size`` is written as two digits, and each round adds a hash of one digit to the
other. Such a Feistel network is a permutation of the grid of all pairs of digits, whatever the hash
is; the few numbers of the grid that are not below ``size`` are sent on until they are. Only
integers of 64 bits are used, so an order is the same on every machine.
"""

import dataclasses

import numpy as np

from jaxnet.core.checks import check_size

_ROUNDS = 12  # even, so that the digits end where they began
_BLOCK = 2**13  # numbers at a time, which fit a core's cache
# Arrays, since NumPy takes longer over its scalars than over some hundred numbers.
_GOLDEN = np.array(0x9E3779B97F4A7C15, np.uint64)
_ODD = np.array(0xBF58476D1CE4E5B9, np.uint64)
_HALF = np.array(32, np.uint64)


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
        return self.at(seed, epoch, span(seed, epoch, start, stop, self.size))

    def at(self, seed: int, epoch: int | np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Which numbers stand at any positions ``[n]`` of an epoch, or of one epoch each: int64.

        >>> Order(10).at(0, np.array([1, 1, 2]), np.array([0, 1, 0]))
        array([0, 7, 5])
        """
        if not self.shuffle:
            return positions
        return permuted(positions, self.size, hashed(seed, epoch))


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
    x, size = np.asarray(x).astype(np.uint64), np.asarray(size).astype(np.uint64)
    # Any number of rows is right; the root makes the grid exceed size by less than a row.
    rows = np.ceil(np.sqrt(size.astype(np.float64))).astype(np.uint64)
    columns = (size + rows - np.uint64(1)) // rows
    given = [np.broadcast_to(part, x.shape) for part in (rows, columns, key)]
    for begin in range(0, len(x), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        x[block] = _rounds(x[block], *(part[block] for part in given))
    while (outside := np.flatnonzero(x >= size)).size:
        x[outside] = _rounds(x[outside], *(part[outside] for part in given))
    return x.astype(np.int64)


def _rounds(x: np.ndarray, rows: np.ndarray, columns: np.ndarray, key: np.ndarray) -> np.ndarray:
    left, right = np.divmod(x, columns)
    key = key.copy()
    for _ in range(_ROUNDS):
        key += _GOLDEN
        bits = right ^ key
        bits *= _ODD
        bits ^= bits >> _HALF
        bits *= _ODD
        bits >>= _HALF
        bits *= rows
        bits >>= _HALF  # scaled to below rows
        left += bits
        left = np.minimum(left, left - rows)  # modulo rows, since below zero wraps to the top
        left, right, rows, columns = right, left, columns, rows
    return left * columns + right


def _mixed(x: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014): a bijection of 64 bits."""
    x = (x ^ (x >> np.uint64(30))) * _ODD
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
