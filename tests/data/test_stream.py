import itertools
from collections import UserDict, namedtuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnet.data import Batches, Stream


class Tensor:
    """As those of PyTorch behave: NumPy takes it only once it is detached and on the host."""

    def __init__(self, values, *, grad=True, device="cuda"):
        self.values, self.grad, self.device = values, grad, device

    def detach(self):
        return Tensor(self.values, grad=False, device=self.device)

    def cpu(self):
        return Tensor(self.values, grad=self.grad, device="cpu")

    def __array__(self, dtype=None, copy=None):
        if self.grad or self.device != "cpu":
            raise RuntimeError("call detach and cpu first")
        return np.asarray(self.values, dtype)


class Loader:
    """A loader whose order depends on the epoch by ``set_epoch``."""

    def __init__(self, length=4):
        self.length, self.epoch = length, -1

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return self.length

    def __iter__(self):
        return (np.array([self.epoch, number]) for number in range(self.length))


def rows(batches):
    return [np.asarray(batch).tolist() for batch in batches]


def test_an_epoch_and_a_part_of_it():
    stream = Stream(Loader())
    assert len(stream) == stream.length == 4
    assert rows(stream) == [[0, 0], [0, 1], [0, 2], [0, 3]]
    assert rows(stream.epoch(2, start=3)) == [[2, 3]]
    assert rows(stream.epoch(2, start=4)) == []


def test_a_sampler_is_told_the_epoch():
    class Sampled:
        def __init__(self):
            self.sampler = Loader()

        def __iter__(self):
            return iter(self.sampler)

    assert rows(Stream(Sampled()).epoch(5))[0] == [5, 0]


def test_a_function_of_the_epoch():
    stream = Stream(lambda epoch: Batches(np.arange(7), 3, seed=epoch))
    assert stream.length is None
    chex.assert_trees_all_equal(
        list(stream.epoch(4, start=1)), list(Batches(np.arange(7), 3, seed=4).epoch(0, 1))
    )


def test_without_a_known_length_len_is_an_error_and_list_is_not():
    stream = Stream(lambda epoch: [1, 2])
    with pytest.raises(TypeError, match=r"length is unknown; give it: Stream\(source, length=…\)"):
        len(stream)
    assert rows(list(stream)) == [1, 2]


def test_what_has_a_length_only_at_times():
    class Iterable(Loader):
        def __len__(self):
            raise TypeError("an iterable data set has no length")

    assert Stream(Iterable()).length is None and len(rows(Stream(Iterable()))) == 4


def test_length_cuts_an_endless_source():
    assert rows(Stream(lambda epoch: itertools.count(epoch), length=3).epoch(5)) == [5, 6, 7]


def test_epochs_of_an_iterator_follow_each_other():
    stream = Stream(itertools.count(), length=3)
    assert rows(stream.epoch(0)) == [0, 1, 2]
    assert rows(stream.epoch(1, start=1)) == [4, 5]
    second = stream.epoch(2)
    assert int(next(second)) == 6
    assert rows(stream.epoch(4, start=2)) == [14]
    with pytest.raises(ValueError, match=r"batch 0 of epoch 4 was asked .* cannot go back"):
        stream.epoch(4)


def test_an_iterator_without_a_length_has_one_epoch():
    stream = Stream(iter([1, 2, 3]))
    assert rows(stream.epoch(0, start=1)) == [2, 3]
    with pytest.raises(ValueError, match=r"epoch 1 .* only once.*Stream\(lambda epoch: …\)"):
        stream.epoch(1)
    with pytest.raises(ValueError, match="has given 3, and cannot go back"):
        stream.epoch(0)


def test_tensors_lists_and_mappings():
    Pair = namedtuple("Pair", "a b")
    inside = Tensor([1.0, 2.0])
    batch = [inside, [inside, 3], UserDict(x=inside), Pair(inside, jnp.ones(2)), None]
    (found,) = Stream([batch])
    assert type(found) is tuple and type(found[1]) is tuple and type(found[2]) is dict
    assert type(found[3]) is Pair and isinstance(found[3].b, jax.Array) and found[4] is None
    for leaf in (found[0], found[1][0], found[2]["x"], found[3].a):
        assert type(leaf) is np.ndarray
        np.testing.assert_array_equal(leaf, [1, 2])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Stream(np.zeros(3)), r"given float64\[3\]; data that can be indexed is for"),
        (lambda: Stream(3), "needs an iterable of batches"),  # pyright: ignore
        (lambda: Stream([1], length=0), "length must be an int of at least 1"),
        (lambda: Stream([1]).epoch(0, 2), "start=2, but an epoch has 1 batches"),
        (lambda: Stream([1]).epoch(-1), "epoch must be an int"),
        (lambda: list(Stream([1, 2], length=3)), "ended after 2 batches .* but length=3"),
        (lambda: list(Stream(iter([1]), length=3)), "ended after 1 batches .* but length=3"),
        (lambda: list(Stream(lambda e: [1, 2]).epoch(0, 3)), "after 2 batches .* but start=3"),
        (lambda: list(Stream(lambda e: [])), "after 0 batches .* a new iterable for each epoch"),
        (lambda: Stream(lambda e: 3).epoch(1), "for epoch 1 returned 3"),  # pyright: ignore
        (lambda: list(Stream([["text"]])), "<U4.*which are not numbers"),
    ],
    ids=range(11),
)
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
