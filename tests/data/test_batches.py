from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet.data import Batches, Order, balanced, subset

x = np.arange(23)


@given(
    st.integers(1, 60), st.integers(1, 20), st.sampled_from(["keep", "drop", "pad"]), st.booleans()
)
@settings(max_examples=80, deadline=None)
def test_an_epoch_is_each_example_once(size, batch_size, remainder, shuffle):
    if remainder == "drop" and batch_size > size:
        return
    options = {"remainder": remainder, "shuffle": shuffle, "seed": 5}
    batches = Batches(np.arange(size), batch_size, **options)
    found = list(batches.epoch(3))
    assert len(found) == len(batches) and batches.full == size // batch_size
    if remainder == "pad":
        assert all(batch.shape == weights.shape == (batch_size,) for batch, weights in found)
        numbers = np.concatenate([batch[weights == 1] for batch, weights in found])
        assert sum(weights.sum() for _, weights in found) == size
        batch, weights = found[-1]
        np.testing.assert_array_equal(batch, np.resize(batch[weights == 1], batch_size))
    else:
        assert all(len(batch) == batch_size for batch in found[: batches.full])
        numbers = np.concatenate(found)
    assert len(numbers) == batches.size
    np.testing.assert_array_equal(
        numbers, Order(size, shuffle=shuffle).indices(5, 3)[: len(numbers)]
    )
    if remainder != "drop":
        np.testing.assert_array_equal(np.sort(numbers), np.arange(size))


@given(st.integers(0, 8), st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_a_run_resumes_anywhere(start, epoch):
    batches = Batches({"x": x}, 3, seed=2)
    assert len(batches) == 8
    whole = list(batches.epoch(epoch))
    chex.assert_trees_all_equal(list(batches.epoch(epoch, start)), whole[start:])
    chex.assert_trees_all_equal([batches[8 * epoch + i] for i in range(start, 8)], whole[start:])


@given(
    st.integers(1, 40),
    st.integers(1, 12),
    st.sampled_from(["keep", "drop", "pad"]),
    st.sampled_from([None, "subset", "plain"]),
    st.integers(0, 30),
    st.integers(1, 30),
)
@settings(max_examples=80, deadline=None)
def test_a_stretch_is_what_the_epochs_say_one_after_the_other(
    size, batch_size, remainder, kind, first, count
):
    if remainder == "drop" and batch_size > size:
        return
    sampler = subset(np.arange(size)[::-1]) if kind == "subset" else None
    batches = Batches(
        np.arange(size), batch_size, seed=3, remainder=remainder, sampler=sampler,
        shuffle=kind != "plain",
    )  # fmt: skip
    expected, words = [], []
    for batch in range(first, first + count):
        epoch, index = divmod(batch, len(batches))
        start = index * batch_size
        expected.append(batches.indices(epoch, start, min(start + batch_size, batches.size)))
        words.append(batches.key_data(epoch, index, index + 1))
    span = first, first + count
    np.testing.assert_array_equal(batches.stretch(*span), np.concatenate(expected))
    np.testing.assert_array_equal(batches.stretch_keys(*span), np.concatenate(words))


def test_the_order_is_that_of_indices():
    batches = Batches((x, x**2), 4, seed=1)
    for index, (numbers, squares) in enumerate(batches):
        np.testing.assert_array_equal(
            numbers, batches.indices(0, 4 * index, min(4 * index + 4, 23))
        )
        np.testing.assert_array_equal(squares, numbers**2)
    chex.assert_trees_all_equal(
        batches.read(np.array([3, 1])), (np.array([3, 1]), np.array([9, 1]))
    )


def test_the_batch_size_does_not_change_the_order():
    large, small = Batches(x, 12, seed=3), Batches(x, 4, seed=3)
    np.testing.assert_array_equal(np.concatenate(list(large)), np.concatenate(list(small)))


def test_beyond_a_block_of_the_order():
    batches = Batches(np.arange(70_000), 30_000, seed=4)
    found = list(batches)
    np.testing.assert_array_equal(np.concatenate(found), batches.indices(0))
    assert [len(batch) for batch in found] == [30_000, 30_000, 10_000]


def test_drop_leaves_out_other_examples_each_epoch():
    batches = Batches(x, 10, remainder="drop")
    assert batches.size == 20 and len(batches) == batches.full == 2
    assert len(batches.indices(0)) == 20
    assert len(np.unique(np.concatenate([batches.indices(epoch) for epoch in range(9)]))) == 23


def test_samplers_choose_the_examples():
    labels = np.repeat([0, 1], [20, 3])
    drawn = np.concatenate(list(Batches(labels, 5, sampler=balanced(labels, size=40))))
    assert np.bincount(drawn).tolist() == [20, 20]
    batches = Batches(x, 2, sampler=subset([7, 5, 3], shuffle=False))
    chex.assert_trees_all_equal(list(batches), [np.array([7, 5]), np.array([3])])
    assert batches.size == 3


@pytest.mark.parametrize("remainder", ["drop", "pad"])
def test_shards_together_are_the_batches(remainder):
    whole = Batches(x, 8, seed=6, remainder=remainder)
    shards = [Batches(x, 8, seed=6, remainder=remainder, shard=(i, 4)) for i in range(4)]
    for batch, *parts in zip(whole, *shards, strict=True):
        chex.assert_trees_all_equal(batch, jax.tree.map(lambda *x: np.concatenate(x), *parts))
    assert shards[0].batch_size == 8 and shards[0].size == whole.size


def test_a_transform_is_a_function_of_seed_epoch_and_index():
    def noisy(batch, key):
        traces.append(batch.shape)
        return batch + jax.random.uniform(key, batch.shape)

    traces = []
    batches = Batches(x.astype(np.float32), 5, seed=7, transform=noisy)
    first = list(batches.epoch(1))
    assert traces == [(5,), (3,)]
    chex.assert_trees_all_equal(list(batches.epoch(1, 2)), first[2:])
    for index, batch in enumerate(first):
        words = batches.key_data(1, index, index + 1)[0]
        key = jax.random.wrap_key_data(jnp.asarray(words), impl="threefry2x32")
        numbers = batches.indices(1, 5 * index, min(5 * index + 5, 23))
        expected = numbers.astype(np.float32) + jax.random.uniform(key, numbers.shape)
        np.testing.assert_allclose(batch, expected, rtol=1e-6)
    keys = np.concatenate([batches.key_data(epoch) for epoch in range(50)])
    assert keys.shape == (250, 2) and len(np.unique(keys, axis=0)) == 250
    other = Batches(x, 4, seed=7, transform=noisy, shard=(1, 2), remainder="drop")
    assert not np.isin(other.key_data(1), batches.key_data(1)).all(1).any()


def test_a_transform_of_padded_batches_leaves_the_weights():
    batches = Batches(x, 10, remainder="pad", transform=lambda batch, key: 2 * batch, shuffle=False)
    batch, weights = batches[2]
    assert batch.tolist() == [40, 42, 44, 40, 42, 44, 40, 42, 44, 40]
    assert weights.tolist() == [1, 1, 1] + [0] * 7 and weights.dtype == np.float32


def test_what_is_known_of_the_source():
    class Squares:
        def __len__(self):
            return 6

        def __getitem__(self, number):
            return np.full(3, number**2, np.float32)

    arrays = (np.zeros((6, 3), np.float32), np.zeros(6, np.int8))
    assert Batches(arrays, 2).arrays is arrays and Batches(arrays, 2).nbytes == 78
    indexed = Batches(Squares(), 4, shuffle=False)
    assert indexed.arrays is None and indexed.nbytes == 72
    assert indexed[1][:, 0].tolist() == [16, 25]


rows: Any = np.arange(3)


class Beyond:
    size = 5

    def indices(self, seed, epoch, start, stop):
        return np.array([0, 99])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Batches(x, 0), "batch_size must be an int of at least 1"),
        (lambda: Batches(x, 24, remainder="drop"), "leaves no batch of the 23 examples"),
        (lambda: Batches(x, 2, remainder="droop"), "no remainder='droop'; did you mean 'drop'"),
        (lambda: Batches(x, 2, seed=-1), "seed must be an int of at least 0"),
        (lambda: Batches((x, x[1:]), 2), "one first axis"),
        (lambda: Batches(x, 2, sampler=balanced(x[1:])), "from 22 labels .* there are 23 examples"),
        (lambda: Batches(x, 2, sampler=subset([0]), shuffle=False), "sampler or shuffle, not both"),
        (lambda: Batches(x, 2, sampler=rows), "sampler must be one of data.balanced"),
        (lambda: Batches(x, 2, sampler=subset([0, 23]))[0], "numbers from 0 to 23, but the 23"),
        (lambda: Batches(x, 2, sampler=subset([-1]))[0], "numbers from -1 to -1"),
        (lambda: Batches(x, 2, sampler=Beyond())[0], "numbers from 0 to 99"),
        (lambda: Batches(x, 2).epoch(0, 13), "start=13, but an epoch has 12 batches"),
        (lambda: Batches(x, 2).epoch(-1), "epoch must be an int of at least 0"),
        (lambda: Batches(x, 2)[-1], "number of a batch must be an int of at least 0"),
        (lambda: Batches(x, 2).indices(0, 20, 24), "positions 20 to 24"),
        (lambda: Batches(x, 3, shard=(0, 2)), "batch_size=3 cannot be shared equally by 2"),
        (
            lambda: Batches(x, 2, shard=(0, 2)),
            "last batch of 1 .* choose remainder='drop' or 'pad'",
        ),
        (lambda: Batches(x, 2, shard=(2, 2)), "numbered from 0 to 1"),
    ],
    ids=range(18),
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
