from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxnet.data import folds, split

rng = np.random.default_rng(0)


@given(
    st.lists(st.integers(3, 40), min_size=1, max_size=6),
    st.lists(st.integers(1, 20), min_size=2, max_size=3),
    st.integers(0, 100),
)
@example([3, 6], [2, 1, 1], 0)  # what the first class owes cannot come from the second
@settings(max_examples=60, deadline=None)
def test_parts_are_disjoint_complete_and_stratified_within_one(sizes, shares, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    shares = [share / sum(shares) for share in shares]
    data = {"number": np.arange(len(labels)), "label": labels}
    if min(shares) * len(labels) < 2:
        return
    parts = split(data, shares, stratify=labels, seed=seed)
    numbers = np.concatenate([part["number"] for part in parts])
    np.testing.assert_array_equal(np.sort(numbers), np.arange(len(labels)))
    for part, share in zip(parts, shares, strict=True):
        counts = np.bincount(part["label"], minlength=len(sizes))
        assert (abs(counts - share * np.array(sizes)) < 1).all()
        np.testing.assert_array_equal(labels[part["number"]], part["label"])
        assert abs(len(part["label"]) - share * len(labels)) < 2.5  # of any number of classes


def test_sizes_are_rounded_and_nothing_else():
    for size in (10, 97, 1000):
        train, val, test = split(np.arange(size), (0.7, 0.2, 0.1))
        assert [len(train) - 0.7 * size, len(val) - 0.2 * size, len(test) - 0.1 * size] == (
            pytest.approx([0, 0, 0], abs=1)
        )


def test_seeds_differ_and_a_seed_does_not():
    first, again, other = (split(np.arange(100), (0.5, 0.5), seed=s)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert 10 < len(np.setdiff1d(first, other)) < 40


def test_any_example_is_held_out_as_often():
    held = np.bincount(
        np.concatenate([split(np.arange(20), (0.75, 0.25), seed=s)[1] for s in range(800)])
    )
    assert abs(held - 200).max() < 5 * np.sqrt(200 * 0.75)


@given(st.integers(2, 5), st.integers(0, 50), st.booleans())
@settings(max_examples=40, deadline=None)
def test_groups_are_never_divided_and_shares_nearly_met(parts, seed, stratified):
    generator = np.random.default_rng(seed)
    groups = generator.integers(0, 25, 300)
    labels = generator.integers(0, 3, 300)
    stratify = labels if stratified else None
    divided = split(
        (np.arange(300), groups), [1 / parts] * parts, groups=groups, stratify=stratify, seed=seed
    )
    names = [set(part[1].tolist()) for part in divided]
    assert sum(map(len, names)) == len(set(groups.tolist()))
    assert sorted(np.concatenate([part[0] for part in divided])) == list(range(300))
    largest = np.bincount(groups).max()
    assert all(
        abs(len(part[0]) - 300 / parts) <= (2 if stratified else 1) * largest for part in divided
    )


def test_groups_leave_no_part_empty():
    parts = split(np.arange(100), (0.9, 0.05, 0.05), groups=np.repeat([0, 1, 2], [34, 33, 33]))
    assert sorted(map(len, parts)) == [33, 33, 34]


def test_folds_hold_each_example_out_once():
    labels = np.repeat([0, 1], [30, 13])
    pairs = folds((np.arange(43), labels), 4, stratify=labels)
    held = np.concatenate([held_out[0] for _, held_out in pairs])
    np.testing.assert_array_equal(np.sort(held), np.arange(43))
    for train, held_out in pairs:
        np.testing.assert_array_equal(
            np.sort(np.concatenate([train[0], held_out[0]])), np.arange(43)
        )
        assert 3 <= held_out[1].sum() <= 4


x = np.arange(10)
share: Any = 0.2


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: split(x, (0.8, 0.3)), r"sum to 1, such as \(0.8, 0.2\), but are \(0.8, 0.3\)"),
        (lambda: split(x, (1.2, -0.2)), "numbers above 0"),
        (lambda: split(x, share), "two or more numbers"),
        (lambda: split(x, (0.99, 0.01)), "share of 0.01 of 10 examples leaves part 1 empty"),
        (lambda: split((x, x[:5]), (0.5, 0.5)), "one first axis"),
        (
            lambda: split(x, (0.5, 0.5), stratify=[0] * 9 + [1]),
            "of every class, but too few have 1",
        ),
        (
            lambda: split(x, (0.5, 0.5), stratify=[0, 1]),
            "stratify needs one value for each of the 10",
        ),
        (lambda: split(x, (0.5, 0.5), groups=[0, 1]), "groups needs one value for each of the 10"),
        (
            lambda: split(x, (0.5, 0.5), groups=[0] * 10),
            "2 parts need as many groups, but there are 1",
        ),
        (lambda: folds(x, 1), "number of folds must be an int of at least 2"),
        (lambda: folds(x[:3], 4), "leaves part . empty"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
