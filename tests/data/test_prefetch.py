import gc
import threading
import time
import traceback

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxnet.data import Batches, prefetch


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    assert not threads()
    yield
    gc.collect()
    assert not threads()


def settled(condition):
    """Whether it comes true: for what another thread is about to do."""
    for _ in range(500):
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_the_same_batches_on_the_device():
    batches = Batches((np.arange(10), np.ones((10, 2), np.float32)), 3, seed=1)
    ready = list(prefetch(batches.epoch(1)))
    assert len(ready) == 4
    for found, expected in zip(ready, batches.epoch(1), strict=True):
        for leaf, other in zip(found, expected, strict=True):
            assert isinstance(leaf, jax.Array)
            np.testing.assert_array_equal(leaf, other)


@pytest.mark.parametrize("ahead", [1, 3])
def test_as_many_are_read_ahead_as_was_asked(ahead):
    read = []

    def source():
        for number in range(100):
            read.append(number)
            yield number

    with prefetch(source(), ahead=ahead) as batches:
        for taken in range(5):
            assert settled(lambda: len(read) == taken + ahead)
            time.sleep(0.02)
            assert len(read) == taken + ahead
            assert int(next(batches)) == taken


def test_an_error_comes_where_its_batch_would_have_and_says_where_it_arose():
    def broken_source():
        yield 1
        yield 2
        raise KeyError("no third batch")

    batches = prefetch(broken_source())
    assert [int(next(batches)), int(next(batches))] == [1, 2]
    with pytest.raises(KeyError, match="no third batch") as caught:
        next(batches)
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert "broken_source" in frames
    assert list(batches) == []


def test_closing_ends_the_thread_and_the_batches():
    batches = prefetch(iter(range(1000)))
    next(batches)
    batches.close()
    assert not threads()
    assert list(batches) == []
    batches.close()


def test_closing_closes_the_source():
    closed = []

    def source():
        try:
            while True:
                yield 1
        finally:
            closed.append(threading.current_thread().name)

    with prefetch(source()) as batches:
        next(batches)
    assert closed == ["prefetch"]


def test_leaving_a_loop_by_an_error_ends_the_thread():
    with pytest.raises(KeyboardInterrupt), prefetch(iter(range(1000))) as batches:
        for _ in batches:
            raise KeyboardInterrupt
    assert not threads()


def test_garbage_ends_the_thread():
    batches = prefetch(iter(range(1000)))
    next(batches)
    assert threads()
    del batches
    gc.collect()
    assert settled(lambda: not threads())


def test_a_source_that_hangs_does_not_hang_the_consumer():
    gate = threading.Event()

    def source():
        yield 1
        gate.wait()

    batches = prefetch(source())
    next(batches)
    began = time.perf_counter()
    batches.close()
    assert time.perf_counter() - began < 5
    assert list(batches) == []
    gate.set()
    assert settled(lambda: not threads())


def test_a_source_may_use_its_arrays_again():
    def source():
        # Memory as JAX would take it over.
        memory = np.zeros(256 * 64 * 4 + 64, np.uint8)
        first = -memory.ctypes.data % 64
        x = memory[first : first + 256 * 64 * 4].view(np.float32).reshape(256, 64)
        for number in range(6):
            x[:] = number
            yield x

    ready = list(prefetch(source(), ahead=6))
    assert [float(x.min()) for x in ready] == [float(x.max()) for x in ready] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("names", ["d", None])
def test_sharded(names):
    mesh = jax.make_mesh((4,), ("d",), axis_types=(AxisType.Auto,))
    sharding = NamedSharding(mesh, PartitionSpec(names))
    x = np.arange(32, dtype=np.float32).reshape(8, 4)

    def source():
        for number in range(3):
            x[:, 0] = number
            yield {"x": x, "y": np.arange(8)}

    for number, batch in enumerate(list(prefetch(source(), sharding=sharding, ahead=3))):
        assert batch["x"].sharding.is_equivalent_to(sharding, 2)
        assert batch["y"].sharding.is_equivalent_to(sharding, 1)
        np.testing.assert_array_equal(batch["x"][:, 0], np.full(8, number))


def test_settings_of_the_consumer_hold():
    x = np.arange(3.0)
    with jax.default_device(jax.devices()[2]), jax.enable_x64(True):
        (batch,) = prefetch(iter([x]))
    assert batch.dtype == np.float64 and batch.devices() == {jax.devices()[2]}
    (batch,) = prefetch(iter([x]))
    assert batch.dtype == np.float32 and batch.devices() == {jax.devices()[0]}


def test_seconds_are_counted():
    def slow():
        for number in range(3):
            time.sleep(0.05)
            yield number

    batches = prefetch(slow())
    list(batches)
    assert batches.reading >= 0.15
    assert batches.waited >= 0.1

    with prefetch(iter(range(3))) as quick:
        assert settled(lambda: quick.reading > 0)
        time.sleep(0.2)
        next(quick)
        assert quick.waited < 0.1


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: prefetch([1], ahead=0), "ahead must be an int of at least 1"),
        (lambda: prefetch(3), "needs batches to iterate over, .* was given a int"),  # pyright: ignore
    ],
    ids=range(2),
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
