import gc
import os
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet.data.rows import _file, reader
from jaxnet.data.sequences import windows

rng = np.random.default_rng(0)
DTYPES = ["bool", "int8", "uint16", "int32", "int64", "float16", "float32", "float64", "complex64"]
DTYPES += [jnp.bfloat16, ">f4"]


def mapped(folder, x, order: Any = "C", mode: Any = "r"):
    path = folder / "x.npy"
    np.save(path, np.asarray(x, order=order))
    return np.load(path, mmap_mode=mode)


def same(x, numbers):
    size, read = reader(x)
    found = read(np.asarray(numbers))
    assert size == len(x)
    assert type(found) is np.ndarray and found.dtype == x.dtype and found.flags.writeable
    np.testing.assert_array_equal(found, np.asarray(x)[numbers])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 1, 5)], ids=str)
def test_rows_of_a_file_are_rows_of_the_array(tmp_path, dtype, shape):
    values = (
        rng.integers(0, 2, (40, *shape)) if dtype == "bool" else rng.integers(0, 99, (40, *shape))
    )
    path = tmp_path / "raw"
    values.astype(dtype).tofile(path)
    x = np.memmap(path, dtype, "r", shape=(40, *shape))
    assert _file(x) is not None
    for numbers in ([7], [3, 4, 5], [39, 0, 17, 18], [5, 5, 2, 5], range(40), range(39, -1, -1)):
        same(x, list(numbers))


@given(st.lists(st.integers(0, 299), min_size=1, max_size=60))
@settings(max_examples=30, deadline=None)
def test_any_numbers_in_any_order(tmp_path_factory, numbers):
    x = mapped(tmp_path_factory.getbasetemp(), np.arange(900.0).reshape(300, 3))
    same(x, numbers)


VIEWS = {
    "whole": lambda x: x,
    "from the 10th": lambda x: x[10:],
    "every third": lambda x: x[1::3],
    "backwards": lambda x: x[::-1],
    "a view of a view": lambda x: x[5:][2:-4:2],
    "columns": lambda x: x[:, 2:5],
    "every second column": lambda x: x[:, ::2],
    "one column": lambda x: x[:, 1],
    "turned": lambda x: x.T,
    "folded": lambda x: x.reshape(20, 3, 6),
    "seen as an array": np.asarray,
    "as other numbers": lambda x: x.view(np.int32),
    "windows": lambda x: windows(x.reshape(-1), 7, stride=3)[1],
    "repeated": lambda x: np.broadcast_to(x[3], (9, 6)),
}


@pytest.mark.parametrize("view", list(VIEWS))
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_views_of_a_mapped_array(tmp_path, view, order, mode):
    x = VIEWS[view](mapped(tmp_path, np.arange(360, dtype=np.float32).reshape(60, 6), order, mode))
    same(x, rng.integers(0, len(x), 25))
    if view in ("every second column", "turned") or mode == "c":
        assert _file(x) is None or order == "F"


def test_an_offset_into_a_file_is_counted(tmp_path):
    (tmp_path / "raw").write_bytes(bytes(range(256)) * 100)
    x = np.memmap(tmp_path / "raw", np.uint8, "r", offset=4500, shape=(50, 7))
    assert _file(x) is not None
    same(x, [49, 0, 3, 4])


def test_changes_to_a_map_are_seen(tmp_path):
    x = mapped(tmp_path, np.zeros((10, 4)), mode="r+")
    read = reader(x)[1]
    x[3] = 5
    np.testing.assert_array_equal(read(np.array([3]))[0], np.full(4, 5.0))
    private = mapped(tmp_path, np.zeros((10, 4)), mode="c")
    private[3] = 5
    same(private, [3, 4])


def test_a_file_that_is_gone_or_another_is_not_read(tmp_path):
    x = mapped(tmp_path, np.arange(20.0).reshape(5, 4))
    os.rename(tmp_path / "x.npy", tmp_path / "y.npy")
    same(x, [4, 1])
    np.save(tmp_path / "x.npy", np.ones((5, 4)))
    same(x, [4, 1])


def test_a_file_that_was_cut_is_an_error(tmp_path):
    read = reader(mapped(tmp_path, np.zeros((5, 4))))[1]
    os.truncate(tmp_path / "x.npy", 200)
    with pytest.raises(OSError, match="ends at byte 200: was it cut"):
        read(np.arange(5))


def resident():
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if "VmRSS" in line)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_reading_all_of_a_file_leaves_little_in_memory(tmp_path):
    path, megabytes = tmp_path / "raw", 64
    with path.open("wb") as file:
        file.truncate(megabytes * 2**20)  # a hole, of zeros
    x = np.memmap(path, np.uint8, "r").reshape(megabytes, -1)
    read = reader(x)[1]
    before = resident()
    for number in range(megabytes):
        read(np.array([number]))
    assert resident() - before < megabytes / 4
    for number in range(megabytes):
        x[number].sum()
    assert resident() - before > megabytes / 2  # what it would be, so that the test can fail


def test_files_are_closed(tmp_path):
    def handles():
        return len(os.listdir("/proc/self/fd" if os.path.isdir("/proc") else "/dev/fd"))

    x = mapped(tmp_path, np.zeros((5, 4)))
    before = handles()
    read = reader(x)[1]
    assert handles() == before + 1
    del read
    gc.collect()
    assert handles() == before


def test_trees_of_many_kinds():
    class OnDisk:  # as arrays of HDF5 are: only increasing numbers
        shape, dtype = (10, 2), np.dtype("float32")

        def __getitem__(self, rows):
            assert (np.diff(rows) > 0).all()
            return np.stack([rows, -rows], 1).astype("float32")

    source = {"np": np.arange(10), "jax": jnp.arange(10.0), "disk": OnDisk()}
    size, read = reader(source)
    batch = read(np.array([7, 2, 7]))
    assert size == 10 and all(type(leaf) is np.ndarray for leaf in batch.values())
    assert (
        batch["np"].tolist() == batch["jax"].tolist() == batch["disk"][:, 0].tolist() == [7, 2, 7]
    )


class Pairs:
    def __init__(self, examples):
        self.examples = examples

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, number):
        return self.examples[number]


def test_examples_are_stacked():
    size, read = reader(Pairs([(np.full(2, i), {"label": i, "heavy": 0.5 * i}) for i in range(6)]))
    x, rest = read(np.array([4, 1]))
    assert size == 6
    assert x.tolist() == [[4, 4], [1, 1]]
    assert rest["label"].tolist() == [4, 1] and rest["heavy"].tolist() == [2.0, 0.5]


def test_examples_are_fetched_at_once_where_that_is_offered():
    class Fetched(Pairs):
        def __getitems__(self, numbers):
            assert type(numbers) is list and type(numbers[0]) is int
            return [self.examples[i] + 100 for i in numbers]

    assert reader(Fetched(np.arange(5)))[1](np.array([3, 0])).tolist() == [103, 100]


class Table:
    shape, dtype = (3,), "float64"

    def to_numpy(self):
        return np.zeros(3)


@pytest.mark.parametrize(
    "source, message",
    [
        ((np.zeros((5, 2)), np.zeros(4)), r"one first axis.* float64\[5,2\], float64\[4\]"),
        ([(1, 2), (3, 4)], "stack a list of examples"),
        ((), "but is empty"),
        (np.zeros(()), "one first axis"),
        (np.zeros((0, 3)), r"there are no examples: float64\[0,3\]"),
        (Pairs([]), "there are no examples: a Pairs has length 0"),
        (iter([1]), "one after the other are for data.Stream"),
        ("text", "but is 'text'"),
        (np.array(["a", "b"]), r"<U1\[2\], which are not numbers"),
        (np.array([[1], [1, 2]], object), r"object\[2\], which are not numbers"),
        ((Table(), np.zeros(3)), r"a Table, whose rows have labels of their own.*to_numpy\(\)"),
    ],
    ids=range(11),
)
def test_mistakes(source, message):
    with pytest.raises(ValueError, match=message):
        reader(source)


def test_examples_that_differ_are_named():
    read = reader(Pairs([np.zeros(2), np.zeros(2), np.zeros(3)]))[1]
    with pytest.raises(ValueError, match=r"number 1 is float64\[2\] and number 2 is float64\[3\]"):
        read(np.array([1, 0, 2]))
    with pytest.raises(ValueError, match="which are not numbers"):
        reader(Pairs(["a"]))[1](np.array([0]))
