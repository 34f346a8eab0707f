import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet.data.order import Order, hashed, permuted

sizes, seeds = st.integers(1, 2000), st.integers(0, 2**63 - 1)


def chi_square(counts, expected):
    """How many standard deviations a chi-square statistic lies above its mean."""
    freedom = len(counts) - 1
    return (((counts - expected) ** 2 / expected).sum() - freedom) / math.sqrt(2 * freedom)


@given(sizes, seeds, st.integers(0, 1000))
@settings(max_examples=150, deadline=None)
def test_each_number_stands_in_an_epoch_once(size, seed, epoch):
    np.testing.assert_array_equal(np.sort(Order(size).indices(seed, epoch)), np.arange(size))


@pytest.mark.parametrize("size", [10**5 + 3, pytest.param(10**7, marks=pytest.mark.slow)])
def test_each_number_stands_in_a_long_epoch_once(size):
    seen = np.zeros(size, bool)
    seen[Order(size).indices(3, 1)] = True
    assert seen.all()


def test_beyond_what_floating_point_can_count():
    size = 2**62 + 1
    numbers = np.concatenate(
        [Order(size).indices(0, 0, start, start + 50) for start in (0, size // 3, size - 50)]
    )
    assert len(set(numbers.tolist())) == 150
    assert numbers.min() >= 0 and numbers.max() < size
    assert numbers.max() - numbers.min() > size / 2


@given(sizes, seeds, st.data())
@settings(max_examples=50, deadline=None)
def test_a_part_is_the_part_of_the_whole(size, seed, data):
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    order = Order(size)
    np.testing.assert_array_equal(
        order.indices(seed, 2, start, stop), order.indices(seed, 2)[start:stop]
    )


@given(sizes, seeds, st.data())
@settings(max_examples=50, deadline=None)
def test_a_stretch_is_epoch_after_epoch(size, seed, data):
    order, length = Order(size), data.draw(st.integers(1, size))
    first = data.draw(st.integers(0, 3 * length))
    last = data.draw(st.integers(first, 4 * length))
    whole = np.concatenate([order.indices(seed, epoch, 0, length) for epoch in range(4)])
    np.testing.assert_array_equal(order.stretch(seed, first, last, length), whole[first:last])


def test_a_part_across_the_blocks_of_a_computation():
    order = Order(100_000)
    np.testing.assert_array_equal(
        order.indices(1, 1, 30_000, 70_000), order.indices(1, 1)[30_000:70_000]
    )


def test_seeds_and_epochs_differ_as_independent_orders_do():
    size, pairs = 1000, [(seed, epoch) for seed in range(8) for epoch in range(8)]
    orders = [Order(size).indices(*pair) for pair in pairs]
    equal = [(a == b).sum() for a, b in itertools.combinations(orders, 2)]
    # Two independent orders agree in as many places as a Poisson variable of mean 1 says.
    assert abs(np.mean(equal) - 1) < 0.1
    assert max(equal) < 10


@pytest.mark.parametrize("size", [3, 4])
def test_all_orders_of_a_few_are_as_frequent(size):
    keys = hashed(np.arange(60_000), 0)
    orders = np.stack([permuted(np.full(len(keys), i), size, keys) for i in range(size)], 1)
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == math.factorial(size)
    assert chi_square(counts, len(keys) / len(counts)) < 4


@pytest.mark.parametrize("size", [10, 37, 256, 1000])
def test_any_place_holds_any_number_as_often(size):
    keys = hashed(np.arange(60_000), 5)
    for place in (0, size // 2, size - 1):
        numbers = permuted(np.full(len(keys), place), size, keys)
        counts = np.bincount(numbers, minlength=size)
        assert abs(chi_square(counts, len(keys) / size)) < 4


@pytest.mark.parametrize("size", [10, 37, 256, 1000])
def test_neighbours_are_as_far_apart_as_any_two(size):
    keys = hashed(np.arange(60_000), 9)
    first, second = (permuted(np.full(len(keys), place), size, keys) for place in (0, 1))
    counts = np.bincount((second - first) % size, minlength=size)
    assert counts[0] == 0
    assert abs(chi_square(counts[1:], len(keys) / (size - 1))) < 4


def test_no_excess_of_numbers_that_stay_in_place():
    stay = [(Order(500).indices(seed, 0) == np.arange(500)).sum() for seed in range(1000)]
    assert abs(np.mean(stay) - 1) < 0.15
    assert abs(np.var(stay) - 1) < 0.2


def test_no_trend_between_place_and_number():
    places = np.arange(10_000)
    for seed in range(5):
        correlation = np.corrcoef(places, Order(10_000).indices(seed, 0))[0, 1]
        assert abs(correlation) < 0.05


def test_the_same_on_every_machine():
    # Runs resume in these orders: they may not change.
    assert Order(10).indices(0, 0).tolist() == [6, 0, 5, 1, 7, 8, 4, 9, 3, 2]
    assert Order(1000).indices(0, 0, 0, 5).tolist() == [808, 610, 842, 26, 673]
    numbers = Order(10**12).indices(2**62, 7, 10**11, 10**11 + 3)
    assert numbers.tolist() == [260968448371, 169824487008, 20587371835]


def test_without_shuffle_in_order():
    assert Order(5, shuffle=False).indices(0, 3, 1, 4).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Order(0), "size of an order must be an int of at least 1, but is 0"),
        (lambda: Order(5).indices(-1, 0), "seed must be an int of at least 0"),
        (lambda: Order(5).indices(2**63, 0), r"seed must be below 2\*\*63"),
        (lambda: Order(5).indices(0, -1), "epoch must be an int of at least 0"),
        (lambda: Order(5).indices(0, 0, 3, 6), "positions 3 to 6 .* has positions 0 to 5"),
        (lambda: Order(5).indices(0, 0, 3, 2), "positions 3 to 2"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
