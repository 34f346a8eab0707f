import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet.data import Batches, pack, windows

lengths = st.lists(st.integers(1, 12), min_size=1, max_size=40)


def make(sizes):
    ends = np.cumsum(sizes)
    return [np.arange(end - size, end) + 1 for size, end in zip(sizes, ends, strict=True)]


@given(lengths, st.integers(12, 20))
@settings(max_examples=50, deadline=None)
def test_packing_loses_nothing_and_mixes_nothing(sizes, length):
    sequences = make(sizes)
    tokens, segments, positions = pack(sequences, length)
    assert tokens.shape == segments.shape == positions.shape == (len(tokens), length)
    assert tokens.dtype == segments.dtype == positions.dtype == np.int32
    found = []
    for row, parts, places in zip(tokens, segments, positions, strict=True):
        numbers = np.unique(parts[parts > 0])
        np.testing.assert_array_equal(numbers, np.arange(1, len(numbers) + 1))
        for number in numbers:
            inside = np.flatnonzero(parts == number)
            np.testing.assert_array_equal(np.diff(inside), 1)
            np.testing.assert_array_equal(places[inside], np.arange(len(inside)))
            found.append(row[inside].tolist())
    assert sorted(found) == sorted(sequence.tolist() for sequence in sequences)
    assert not tokens[segments == 0].any() and not positions[segments == 0].any()


@given(lengths, st.integers(12, 20))
@settings(max_examples=50, deadline=None)
def test_packing_needs_few_rows(sizes, length):
    # Johnson 1974: best fit decreasing takes at most 11/9 of the best, and 4 rows.
    rows = len(pack(make(sizes), length)[0])
    assert -(-sum(sizes) // length) <= rows <= 11 / 9 * max(-(-sum(sizes) // length), 1) + 4


def test_packing_is_best_fit():
    # First fit would put the 2 beside the 6; where it fits best is beside the 7.
    segments = pack(make([6, 7, 2]), 9)[1]
    np.testing.assert_array_equal((segments > 0).sum(1), [9, 6])


def test_packing_many_fills_nearly_all():
    sizes = np.random.default_rng(0).integers(1, 1000, 3000)
    tokens, segments, _ = pack([np.ones(size, np.int32) for size in sizes], 2048)
    assert tokens.sum() == sizes.sum()
    assert (segments > 0).mean() > 0.99


@given(st.integers(2, 60), st.integers(1, 20), st.integers(1, 25))
@settings(max_examples=50, deadline=None)
def test_windows(size, length, stride):
    if size <= length:
        return
    tokens = np.arange(size)
    inputs, targets = windows(tokens, length, stride=stride)
    starts = np.arange(0, size - length, stride)
    np.testing.assert_array_equal(inputs, starts[:, None] + np.arange(length))
    np.testing.assert_array_equal(targets, inputs + 1)
    assert np.shares_memory(inputs, tokens) and np.shares_memory(targets, tokens)


def test_windows_predict_each_token_once():
    inputs, targets = windows(np.arange(31), 5)
    assert targets.reshape(-1).tolist() == list(range(1, 31))
    assert inputs.reshape(-1).tolist() == list(range(30))


def test_windows_of_a_file_are_a_source(tmp_path):
    np.arange(100, dtype=np.uint16).tofile(tmp_path / "tokens")
    source = windows(np.memmap(tmp_path / "tokens", np.uint16, "r"), 8)
    inputs, targets = Batches(source, 12, seed=1)[0]
    np.testing.assert_array_equal(targets, inputs + 1)
    assert sorted(inputs[:, 0].tolist()) == list(range(0, 96, 8))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: pack([[1, 2, 3]], 2), "sequence of length 3 does not fit in rows of 2"),
        (lambda: pack([[1], []], 2), "sequence 1 is empty"),
        (lambda: pack([[1], [0.5]], 2), r"must be arrays .* 'float64\[1\]', 'int64\[1\]'"),
        (lambda: pack([], 2), "but are none"),
        (lambda: pack([[0.5]], 2), r"fit int32, but was given float64\[1\]"),
        (lambda: pack([[2**31]], 2), "fit int32"),
        (lambda: pack([np.zeros((2, 2), int)], 2), r"int64\[2,2\]"),
        (lambda: pack([[1]], 0), "length must be an int of at least 1"),
        (lambda: pack([3], 2), r"must be arrays \[T, …\]"),
        (lambda: windows(np.arange(4), 4), r"at least 5, but was given int64\[4\]"),
        (lambda: windows(np.zeros((9, 2)), 4), r"float64\[9,2\]"),
        (lambda: windows(np.arange(9), 4, stride=0), "stride must be an int of at least 1"),
    ],
    ids=range(12),
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
