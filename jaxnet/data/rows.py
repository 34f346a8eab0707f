"""Examples by number: from arrays, from files mapped into memory, from sets that are indexed.

A page of a mapped file that was touched counts as resident memory until the system takes it back.
So rows of a mapped array are read from its file, which leaves them to the system's cache.
"""

import itertools
import mmap
import os
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jaxnet.core.errors import describe, is_array

type Read = Callable[[np.ndarray], Any]


def reader(source: Any) -> tuple[int, Read]:
    """How many examples a source has, and a function from their numbers to a batch of NumPy arrays.

    The source is a tree of arrays with one first axis, or has ``__len__`` and ``__getitem__``.
    """
    if isinstance(source, Iterator):
        raise ValueError(
            f"a {type(source).__name__} cannot be indexed; batches that come one after the other "
            "are for data.Stream"
        )
    for leaf in jax.tree.leaves(source):
        if hasattr(leaf, "to_numpy"):
            raise ValueError(
                f"the data holds a {type(leaf).__name__}, whose rows have labels of their own; "
                "give its numbers: to_numpy()"
            )
    if not is_indexed(source):
        size = count(source)
        leaves, structure = jax.tree.flatten(source)
        reads = [_leaf_reader(leaf) for leaf in leaves]
        return size, lambda numbers: structure.unflatten(read(numbers) for read in reads)
    if not len(source):
        raise ValueError(f"there are no examples: {describe(source)} has length 0")
    fetch = getattr(source, "__getitems__", None) or (lambda numbers: [source[i] for i in numbers])
    return len(source), lambda numbers: _stacked(fetch(numbers.tolist()), numbers)


def is_indexed(source: Any) -> bool:
    """Whether a source gives single examples, and so is not a tree of arrays."""
    indexed = hasattr(source, "__len__") and hasattr(source, "__getitem__")
    is_leaf = jax.tree.structure(source) == jax.tree.structure(0)
    return indexed and is_leaf and not is_array(source) and not isinstance(source, str | bytes)


def count(arrays: Any) -> int:
    """The number of examples in a tree of arrays; raises unless all agree on it and it is not 0."""
    leaves = jax.tree.leaves(arrays)
    sizes = {leaf.shape[0] if is_array(leaf) and leaf.shape else None for leaf in leaves}
    size = None
    if len(sizes) == 1 and (size := sizes.pop()):
        return size
    given = ", ".join(map(describe, leaves[:8])) + (", …" if len(leaves) > 8 else "")
    if size == 0:
        raise ValueError(f"there are no examples: {given}")
    raise ValueError(
        "data must be arrays with one first axis, an example a row, such as (x, y), "
        f"but is {given or 'empty'}; stack a list of examples into arrays"
    )


def as_numpy(x: Any) -> np.ndarray:
    """Anything with numbers as a NumPy array; raises for text, times and Python objects."""
    if hasattr(x, "detach"):  # a tensor of PyTorch
        x = x.detach().cpu()
    x = np.asarray(x)
    if x.dtype.kind in "OSTUMm":
        raise ValueError(
            f"the data holds {describe(x)}, which are not numbers; leave it out or give each value "
            "a number, and pad rows of unequal length (or see data.Buckets)"
        )
    return x


def _leaf_reader(leaf: Any) -> Read:
    if isinstance(leaf, jax.Array):
        return lambda numbers: np.asarray(leaf)[numbers]
    if isinstance(leaf, np.ndarray):
        return _file(leaf) or as_numpy(leaf).__getitem__

    def read(numbers: np.ndarray) -> np.ndarray:
        # Arrays on disk, such as those of HDF5, want increasing numbers.
        rows, where = np.unique(numbers, return_inverse=True)
        return as_numpy(leaf[rows])[where]

    return read


def _stacked(examples: list[Any], numbers: np.ndarray) -> Any:
    examples = [jax.tree.map(as_numpy, example) for example in examples]
    try:
        return jax.tree.map(lambda *leaves: np.stack(leaves), *examples)
    except ValueError as error:
        shapes = [str(jax.tree.map(describe, example)) for example in examples]
        other = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
        raise ValueError(
            "examples of a batch must have one structure and shape, but number "
            f"{numbers[0]} is {shapes[0]} and number {numbers[other]} is {shapes[other]}; "
            "resize or pad them to one shape (for sequences see data.Buckets)"
        ) from error


def _file(x: np.ndarray) -> Read | None:
    """A reader from the file behind ``x``, if there is one and its rows lie in it in one piece."""
    root: Any = x
    while root is not None and not isinstance(getattr(root, "base", None), mmap.mmap):
        root = getattr(root, "base", None)  # of a view, the array that it looks at
    if not isinstance(root, np.memmap) or root.mode == "c" or not root.filename:
        return None  # nothing mapped, or a copy whose changes are not in the file
    if not x.nbytes or not x[0].flags.c_contiguous or not hasattr(os, "preadv"):
        return None
    first = root.offset + x.ctypes.data - root.ctypes.data
    try:
        file = _File(root.filename, first, x.strides[0], x.shape[1:], x.dtype)
        ends = np.array([0, len(x) - 1])
        # Another file may have taken the name since.
        return file if file(ends).tobytes() == x[ends].tobytes() else None
    except OSError:
        return None


class _File:
    """Reads rows of one shape and dtype that lie in a file at a constant distance."""

    def __init__(
        self, path: Any, first: int, step: int, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.first, self.step, self.shape, self.dtype = first, step, shape, dtype
        self.file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self.file)

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        rows, where = np.unique(numbers, return_inverse=True)
        size = self.dtype.itemsize * int(np.prod(self.shape))
        buffer = np.empty(len(rows) * size, np.uint8)
        # Neighbours are read at once, unless rows overlap or have gaps.
        apart = (np.diff(rows) != 1) | (self.step != size)
        cuts = [0, *(np.flatnonzero(apart) + 1).tolist(), len(rows)]
        for begin, end in itertools.pairwise(cuts):
            view = memoryview(buffer)[begin * size : end * size]
            self._fill(view, self.first + int(rows[begin]) * self.step)
        return buffer.view(self.dtype).reshape(-1, *self.shape)[where]

    def _fill(self, view: memoryview, place: int) -> None:
        while view:
            done = os.preadv(self.file, [view], place)
            if not done:
                raise OSError(f"the file of the data ends at byte {place}: was it cut?")
            view, place = view[done:], place + done
