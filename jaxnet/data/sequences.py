"""Sequences of unequal length packed into rows, and long ones cut into windows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe, listing
from jaxnet.data.rows import as_numpy


def pack(sequences: Sequence[Any], length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sequences side by side in few rows: tokens, segments, positions, int32 ``[N, length]``.

    The segments number the sequences of a row from 1, and are 0 on padding, as are the tokens; the
    positions count from 0 in each sequence. The longest come first, each into the fullest row that
    still has room (best fit). Attend only within equal segments, and put no loss on segment 0.
    Raises ValueError for sequences that are empty, not of integers, or longer than ``length``.

    >>> tokens, segments, positions = pack([[1, 2, 3], [4, 5], [6]], 4)
    >>> tokens.tolist(), segments.tolist()
    ([[1, 2, 3, 6], [4, 5, 0, 0]], [[1, 1, 1, 2], [1, 1, 0, 0]])
    """
    check_size(length, "length")
    arrays, lengths = ragged(sequences)
    flat = np.concatenate(arrays)
    bounds = np.iinfo(np.int32)
    integers = flat.ndim == 1 and flat.dtype.kind in "iu"
    if not integers or flat.min() < bounds.min or flat.max() > bounds.max:
        raise ValueError(
            f"pack needs rows of token numbers that fit int32, but was given {describe(arrays[0])}"
        )
    if lengths.max() > length:
        raise ValueError(
            f"a sequence of length {lengths.max()} does not fit in rows of {length}; cut it into "
            "parts, or pack into longer rows"
        )
    rows, starts, numbers = _best_fit(lengths, length)
    inner = np.arange(len(flat)) - np.repeat(lengths.cumsum() - lengths, lengths)
    places = np.repeat(rows * length + starts, lengths) + inner
    packed = np.zeros((3, rows.max() + 1, length), np.int32)
    for out, values in zip(packed, (flat, np.repeat(numbers, lengths), inner), strict=True):
        out.reshape(-1)[places] = values
    return packed[0], packed[1], packed[2]


def windows(
    tokens: Any, length: int, *, stride: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and next tokens for a language model, ``[N, length]`` each: views, nothing is copied.

    Windows begin every ``stride`` tokens (by default ``length``, so that each token is predicted
    once); a last one that is not full is left out. A mapped file of tokens may be given, and the
    pair is a source for ``data.Batches``.
    Raises ValueError if there is not one window.

    >>> inputs, targets = windows(np.arange(8), 3)
    >>> inputs.tolist(), targets.tolist()
    ([[0, 1, 2], [3, 4, 5]], [[1, 2, 3], [4, 5, 6]])
    """
    check_size(length, "length")
    stride = length if stride is None else stride
    check_size(stride, "stride")
    tokens = tokens if isinstance(tokens, np.ndarray) else as_numpy(tokens)
    if tokens.ndim != 1 or len(tokens) <= length:
        raise ValueError(
            f"windows of {length} tokens and their next ones need a row of at least {length + 1}, "
            f"but was given {describe(tokens)}"
        )
    view = np.lib.stride_tricks.sliding_window_view
    return view(tokens[:-1], length)[::stride], view(tokens[1:], length)[::stride]


def ragged(sequences: Sequence[Any]) -> tuple[list[np.ndarray], np.ndarray]:
    """Sequences as arrays, and their lengths; raises if one is empty or they differ otherwise."""
    arrays = [as_numpy(sequence) for sequence in sequences]
    empty = [number for number, array in enumerate(arrays) if not array.size]
    if empty:
        raise ValueError(f"sequence {empty[0]} is empty; leave it out")
    kinds = {(array.shape[1:], array.dtype) if array.ndim else None for array in arrays}
    if len(kinds) != 1 or None in kinds:
        given = listing(sorted({describe(array) for array in arrays}), 4)
        raise ValueError(
            f"sequences must be arrays [T, …], equal but for their length, but are {given}"
        )
    return arrays, np.array([len(array) for array in arrays])


def _best_fit(lengths: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each sequence's row, its start in it, and its number in it, from 1."""
    rows, starts, numbers = (np.zeros(len(lengths), np.int64) for _ in range(3))
    free: list[list[int]] = [[] for _ in range(length + 1)]  # rows by the room that they have
    held: list[int] = []
    roomy = 0  # bit r is set if a row has room for r: the lowest bit is quick to find
    for i in np.argsort(-lengths, kind="stable"):
        need = int(lengths[i])
        fitting = roomy >> need
        if fitting:
            room = need + (fitting & -fitting).bit_length() - 1
            row = free[room].pop()
            roomy &= ~(1 << room) if not free[room] else -1
        else:
            room, row = length, len(held)
            held.append(0)
        held[row] += 1
        rows[i], starts[i], numbers[i] = row, length - room, held[row]
        free[room - need].append(row)
        roomy |= 1 << (room - need)
    return rows, starts, numbers
