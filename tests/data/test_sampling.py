import math

import numpy as np
import pytest

from jaxnet.data import balanced, subset, weighted

labels = np.repeat([0, 1, 2], [600, 30, 7])


def make(name):
    weights = np.linspace(0, 3, 500)
    return {
        "balanced": lambda: balanced(labels),
        "weighted": lambda: weighted(weights),
        "distinct": lambda: weighted(weights, size=300, replacement=False),
        "subset": lambda: subset(np.arange(0, 900, 3)),
    }[name]()


@pytest.mark.parametrize("name", ["balanced", "weighted", "distinct", "subset"])
def test_a_part_is_the_part_of_the_whole_and_epochs_and_seeds_differ(name):
    sampler = make(name)
    whole = sampler.indices(3, 1, 0, sampler.size)
    np.testing.assert_array_equal(make(name).indices(3, 1, 41, 203), whole[41:203])
    for seed, epoch in ((3, 2), (4, 1)):
        assert (sampler.indices(seed, epoch, 0, sampler.size) != whole).mean() > 0.5


def test_balanced_draws_each_class_as_often_over_all_epochs():
    sampler = balanced(labels, size=100)
    drawn = np.concatenate([labels[sampler.indices(0, epoch, 0, 100)] for epoch in range(7)])
    for end in range(100, 701, 100):
        counts = np.bincount(drawn[:end], minlength=3)
        assert counts.max() - counts.min() <= 1


def test_balanced_draws_all_of_a_class_before_one_comes_again():
    sampler = balanced(labels, size=300)
    drawn = np.concatenate([sampler.indices(1, epoch, 0, 300) for epoch in range(7)])  # 700 a class
    counts = np.bincount(drawn, minlength=len(labels))
    for number, (least, most) in enumerate([(1, 2), (23, 24), (100, 100)]):
        of_class = counts[labels == number]
        assert least <= of_class.min() and of_class.max() <= most


def test_balanced_mixes_the_classes():
    classes = labels[balanced(labels, size=3000).indices(0, 0, 0, 3000)]
    pairs = np.bincount(3 * classes[:-1] + classes[1:], minlength=9)
    assert abs(pairs / 3000 - 1 / 9).max() < 0.03


def test_balanced_takes_names():
    names = np.array(["rare"] + ["common"] * 9)
    drawn = names[balanced(names).indices(0, 0, 0, 10)]
    assert sorted(drawn) == ["common"] * 5 + ["rare"] * 5


def test_weighted_draws_in_proportion():
    weights = np.array([0.0, 1.0, 2.0, 0.0, 5.0, 0.0])
    counts = np.bincount(weighted(weights, size=80_000).indices(0, 0, 0, 80_000), minlength=6)
    assert counts[weights == 0].sum() == 0
    expected = weights[weights > 0] * 10_000
    chi = ((counts[weights > 0] - expected) ** 2 / expected).sum()
    assert chi < 2 + 4 * math.sqrt(4)


def test_weighted_draws_are_independent():
    drawn = weighted(np.ones(4), size=40_000).indices(5, 0, 0, 40_000)
    pairs = np.bincount(4 * drawn[:-1] + drawn[1:], minlength=16)
    assert ((pairs - 2500) ** 2 / 2500).sum() < 15 + 4 * math.sqrt(30)


def test_without_replacement_none_comes_twice_and_the_heavy_come_first():
    weights = np.array([1.0, 2.0, 0.0, 4.0])
    orders = np.stack(
        [weighted(weights, size=3, replacement=False).indices(s, 0, 0, 3) for s in range(4000)]
    )
    np.testing.assert_array_equal(np.sort(orders, 1), np.broadcast_to([0, 1, 3], orders.shape))
    # First one, then another of those left: 4/7 * 2/3 for 3 before 1, for instance.
    for order, chance in {
        (3, 1): 4 / 7 * 2 / 3,
        (0, 1): 1 / 7 * 2 / 6,
        (1, 3): 2 / 7 * 4 / 5,
    }.items():
        found = (orders[:, :2] == order).all(1).mean()
        assert abs(found - chance) < 4 * math.sqrt(chance / 4000)


def test_subset_keeps_its_order_without_shuffle():
    assert subset([7, 5, 3], shuffle=False).indices(0, 4, 1, 3).tolist() == [5, 3]
    assert sorted(subset([7, 5, 3]).indices(0, 4, 0, 3)) == [3, 5, 7]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: balanced(np.zeros((2, 3))), r"labels must be one row.* float64\[2,3\]"),
        (lambda: balanced([]), "labels must be one row, not empty"),
        (lambda: balanced([1, 2], size=0), "size must be an int of at least 1, but is 0"),
        (lambda: weighted([1.0, -2.0]), "not negative .* there are -2.0"),
        (lambda: weighted([1.0, np.nan]), "must be finite.* there are nan"),
        (lambda: weighted([0.0, 0.0]), "but all are zero"),
        (lambda: weighted([1, 0, 2], replacement=False), "3 different .* only 2 have a weight"),
        (lambda: subset([0.5]), "indices must be whole numbers"),
        (lambda: subset(np.array([True, False])), r"take np.flatnonzero\(mask\)"),
        (lambda: balanced([1, 2]).indices(0, 0, 0, 3), "positions 0 to 3"),
        (lambda: weighted([1, 2]).indices(0, 0, 1, 3), "positions 1 to 3"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
