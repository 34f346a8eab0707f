"""Batches read ahead and put on the device by a thread, so that the device never waits."""

import collections
import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_size


def prefetch(
    batches: Iterable[Any], *, ahead: int = 2, sharding: jax.sharding.Sharding | None = None
) -> "Prefetch":
    """The same batches, on the device, read by a thread that keeps ``ahead`` of them ready.

    With a ``sharding`` each process's arrays become its part of global ones, as by
    ``jax.make_array_from_process_local_data``. An error in the thread is raised again where its
    batch would have come. The thread ends with the batches, on ``close()``, at the end of a
    ``with``, and once the iterator is garbage. ``waited`` and ``reading`` are the seconds that the
    consumer waited and that the thread worked.

    >>> with prefetch(iter([1.0, 2.0])) as batches:
    ...     print([float(batch) for batch in batches])
    [1.0, 2.0]
    """
    check_size(ahead, "ahead")
    if not isinstance(batches, Iterable):
        raise ValueError(
            f"prefetch needs batches to iterate over, such as batches.epoch(0), but was given a "
            f"{type(batches).__name__}"
        )
    return Prefetch(batches, ahead, sharding)


class Prefetch(Iterator[Any]):
    """What ``prefetch`` returns."""

    def __init__(
        self, batches: Iterable[Any], ahead: int, sharding: jax.sharding.Sharding | None
    ) -> None:
        self.waited = 0.0
        self._line = line = _Line(ahead)
        # The thread knows the line only, not the iterator, which may so become garbage.
        thread = threading.Thread(
            target=_fill, args=(line, batches, _placer(sharding)), name="prefetch", daemon=True
        )
        self.close = weakref.finalize(self, _close, line, thread)
        thread.start()

    @property
    def reading(self) -> float:
        """The seconds that the thread has spent on reading and transfer."""
        return self._line.reading

    def __next__(self) -> Any:
        """The next batch; waits for it if need be."""
        line, began = self._line, time.perf_counter()
        with line.changed:
            line.changed.wait_for(lambda: line.ready or line.ended)
            self.waited += time.perf_counter() - began
            if line.ready:
                line.changed.notify_all()
                return line.ready.popleft()
            error, line.error = line.error, None
        if error is None:
            raise StopIteration
        try:
            raise error
        finally:
            del error  # which refers to this frame

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Line:
    """What the thread and the consumer share."""

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead
        self.changed = threading.Condition()
        self.ready: collections.deque[Any] = collections.deque()
        self.ended = False
        self.error: BaseException | None = None
        self.reading = 0.0

    def has_room(self) -> bool:
        """Waits for room; False once the line is closed."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended or len(self.ready) < self.ahead)
            return not self.ended

    def add(self, batch: Any, seconds: float) -> None:
        with self.changed:
            self.reading += seconds
            if not self.ended:
                self.ready.append(batch)
            self.changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        with self.changed:
            self.ended, self.error = True, error
            self.changed.notify_all()


def _fill(line: _Line, batches: Iterable[Any], place: Callable[[Any], Any]) -> None:
    error = None
    try:
        source = iter(batches)
        while line.has_room():
            began = time.perf_counter()
            try:
                batch = next(source)
            except StopIteration:
                break
            line.add(place(batch), time.perf_counter() - began)
    except BaseException as caught:
        error = caught
    line.end(error)


def _close(line: _Line, thread: threading.Thread) -> None:
    with line.changed:
        line.end()
        line.ready.clear()
    # A read under way cannot be stopped, and the thread ends after it. Garbage may be collected in
    # any thread, also in this one.
    if thread is not threading.current_thread() and thread.ident is not None:
        thread.join(timeout=1)


def _placer(sharding: jax.sharding.Sharding | None) -> Callable[[Any], Any]:
    # These settings belong to a thread; the batches are for the one that asks.
    device, x64 = jax.config.jax_default_device, jax.config.jax_enable_x64  # pyright: ignore

    def place(batch: Any) -> Any:
        with contextlib.ExitStack() as settings:
            settings.enter_context(jax.default_device(device))
            settings.enter_context(jax.enable_x64(x64))
            # Copies, since the source may use its arrays again for the next batch; device_put
            # takes over memory that is aligned, even with may_alias=False.
            if sharding is None:
                placed = jax.tree.map(jnp.array, batch)
            else:
                join = jax.make_array_from_process_local_data
                placed = jax.tree.map(lambda x: join(sharding, np.copy(x)), batch)
            return jax.block_until_ready(placed)

    return place
