"""Any iterable of batches, such as a DataLoader or a grain pipeline, read as ``Batches`` are."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe, is_array
from jaxnet.data.rows import as_numpy


class Stream:
    """Batches that someone else makes, as NumPy arrays.

    ``source`` is an iterable of batches, or a function from the number of an epoch to one, which
    is how an order is made to depend on the epoch. Tensors become NumPy arrays and lists tuples, so
    that ``[x, y]`` of a PyTorch DataLoader is ``(x, y)``. If the source or its sampler has
    ``set_epoch``, it is called. ``length`` is the number of batches in an epoch, by default
    ``len(source)``, or unknown (None); an endless source needs it.

    An epoch that starts at a later batch reads the ones before it and throws them away, and is the
    epoch of before only if the source repeats itself. An iterator, such as a generator, only goes
    forward: with ``length`` its epochs follow each other, without it there is but one.
    Raises ValueError when it is asked to go back, and when a source ends before ``length``.

    >>> stream = Stream([[np.zeros(2), 1], [np.ones(2), 2]])
    >>> len(stream), list(stream.epoch(0, start=1))
    (2, [(array([1., 1.]), array(2))])
    """

    def __init__(
        self,
        source: Iterable[Any] | Callable[[int], Iterable[Any]],
        *,
        length: int | None = None,
    ) -> None:
        if is_array(source) or not (isinstance(source, Iterable) or callable(source)):
            raise ValueError(
                "Stream needs an iterable of batches, or a function from an epoch's number to one, "
                f"but was given {describe(source)}; data that can be indexed is for data.Batches"
            )
        if length is not None:
            check_size(length, "length")
        elif hasattr(source, "__len__"):
            try:
                length = len(source)  # pyright: ignore[reportArgumentType]
            except TypeError:  # a DataLoader of an iterable data set
                length = None
        self.source, self.length = source, length
        self._read = 0  # batches that an iterator has given

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        if self.length is None:  # what Python expects, so that list(stream) works
            raise TypeError("the stream's length is unknown; give it: Stream(source, length=…)")
        return self.length

    def __iter__(self) -> Iterator[Any]:
        """The batches of epoch 0."""
        return self.epoch(0)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """The batches of an epoch, from its batch number ``start``."""
        check_size(epoch, "epoch", least=0)
        check_size(start, "start", least=0)
        if self.length is not None and start > self.length:
            raise ValueError(f"start={start}, but an epoch has {self.length} batches")
        if isinstance(self.source, Iterator):
            return self._continued(self.source, epoch, start)
        if isinstance(self.source, Iterable):
            loader: Any = self.source
            parts: list[Any] = [loader, getattr(loader, "sampler", None)]
            for part in parts:
                if hasattr(part, "set_epoch"):
                    part.set_epoch(epoch)
            return self._counted(iter(self.source), start, 0)
        batches = self.source(epoch)
        if not isinstance(batches, Iterable):
            raise ValueError(
                "the function of a Stream must return an iterable of batches, but for epoch "
                f"{epoch} returned {describe(batches)}"
            )
        return self._counted(iter(batches), start, 0)

    def _continued(self, source: Iterator[Any], epoch: int, start: int) -> Iterator[Any]:
        if self.length is None and epoch:
            raise ValueError(
                f"epoch {epoch} was asked of an iterator, which can be read only once; give a "
                "function that makes a new one for each epoch, Stream(lambda epoch: …), or "
                "length=…, for epochs of so many batches of an endless one"
            )
        behind = self._read - epoch * (self.length or 0)
        if start < behind:
            raise ValueError(
                f"batch {start} of epoch {epoch} was asked of an iterator that is past it, since "
                f"it has given {self._read}, and cannot go back; give a function that makes a "
                "new one: Stream(lambda epoch: …)"
            )
        return self._counted(self._noted(source), start, behind)

    def _noted(self, source: Iterator[Any]) -> Iterator[Any]:
        for batch in source:
            self._read += 1
            yield batch

    def _counted(self, batches: Iterator[Any], start: int, done: int) -> Iterator[Any]:
        """Batches from ``start``, where ``done`` are behind, up to the length of an epoch."""
        for index in itertools.count(done) if self.length is None else range(done, self.length):
            try:
                batch = next(batches)
            except StopIteration:
                if self.length is None and index >= max(start, 1):
                    return
                if self.length is not None or start:
                    needed = f"length={self.length}" if self.length else f"start={start}"
                else:
                    needed = "a function has to make a new iterable for each epoch"
                raise ValueError(
                    f"the stream ended after {max(index, 0)} batches of an epoch, but {needed}"
                ) from None
            if index >= start:
                yield _host(batch)


def _host(batch: Any) -> Any:
    if isinstance(batch, Mapping):
        return {name: _host(value) for name, value in batch.items()}
    if isinstance(batch, list) or type(batch) is tuple:
        return tuple(_host(value) for value in batch)
    return jax.tree.map(_leaf, batch)


def _leaf(x: Any) -> np.ndarray | jax.Array:
    return x if isinstance(x, jax.Array) else as_numpy(x)
