import chex
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet.data import Buckets

sizes = np.random.default_rng(0).integers(1, 33, 101)
sequences = [np.full(size, number, np.int32) for number, size in enumerate(sizes)]
options = {"boundaries": (8, 16, 32), "batch_tokens": 128, "seed": 3}


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=50),
    st.sampled_from(["pad", "keep"]),
    st.booleans(),
    st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_an_epoch_is_each_sequence_once(sizes, remainder, shuffle, epoch):
    sequences = [np.arange(size) + 100 * number + 1 for number, size in enumerate(sizes)]
    labels = np.arange(len(sizes)) + 1
    buckets = Buckets(
        sequences, (5, 9, 30), batch_size=4, labels=labels, pad=-1,
        remainder=remainder, shuffle=shuffle,
    )  # fmt: skip
    batches = list(buckets.epoch(epoch))
    assert len(batches) == len(buckets) and buckets.size == len(sizes)
    found = []
    for batch in batches:
        tokens, lengths = batch["tokens"], batch["lengths"]
        assert tokens.shape[1] in (5, 9, 30) and tokens.shape[0] == len(lengths)
        assert len(tokens) == 4 if remainder == "pad" else len(tokens) <= 4
        smaller = {5: 0, 9: 5, 30: 9}[tokens.shape[1]]
        for row, length, label in zip(tokens, lengths, batch["labels"], strict=True):
            assert (row[length:] == -1).all()
            if length:
                assert length > smaller
                np.testing.assert_array_equal(row[:length], sequences[label - 1])
                found.append(int(label))
            else:
                assert remainder == "pad" and label == 0
    assert sorted(found) == labels.tolist()


def test_one_shape_a_bucket_of_the_asked_number_of_tokens():
    shapes = {batch["tokens"].shape for batch in Buckets(sequences, **options)}
    assert shapes == {(16, 8), (8, 16), (4, 32)}


def test_a_run_resumes_anywhere():
    buckets = Buckets(sequences, **options)
    for epoch in (0, 2):
        whole = list(buckets.epoch(epoch))
        for start in range(0, len(buckets) + 1, 3):
            chex.assert_trees_all_equal(list(buckets.epoch(epoch, start)), whole[start:])
        for index in range(len(buckets)):
            chex.assert_trees_all_equal(buckets[epoch * len(buckets) + index], whole[index])


def test_epochs_mix_buckets_and_their_members():
    buckets = Buckets(sequences, **options)
    first, second = (list(buckets.epoch(epoch)) for epoch in (0, 1))
    assert [b["tokens"].shape for b in first] != [b["tokens"].shape for b in second]

    def companions(batches):
        return {frozenset(np.unique(batch["tokens"][:, 0]).tolist()) for batch in batches}

    assert len(companions(first) & companions(second)) < len(first) / 2


def test_drop_leaves_out_what_does_not_fill_a_batch():
    buckets = Buckets(sequences, **options, remainder="drop")
    lengths = np.concatenate([batch["lengths"] for batch in buckets])
    assert lengths.all() and len(lengths) == buckets.size < 101


def test_sequences_of_vectors_are_padded_too():
    vectors = [np.ones((size, 3), np.float32) for size in (2, 4)]
    (batch,) = Buckets(vectors, (5,), batch_size=2, shuffle=False)
    assert batch["tokens"].shape == (2, 5, 3) and batch["tokens"].dtype == np.float32
    np.testing.assert_array_equal(batch["tokens"].sum((1, 2)), [6, 12])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"boundaries": (8, 16)}, "length 32 is longer than the last boundary, 16"),
        ({"boundaries": (8, 8)}, "rising lengths such as"),
        ({"boundaries": ()}, "rising lengths"),
        ({"batch_size": 3}, "give either batch_size or batch_tokens"),
        ({"batch_tokens": None}, "give either batch_size or batch_tokens"),
        ({"batch_tokens": 31}, "less than one sequence padded to the last boundary, 32"),
        ({"remainder": "kept"}, "did you mean 'keep'"),
        ({"labels": np.zeros(3)}, "there are 3 labels for 101 sequences"),
        ({"sequences": [[1], [2.5]]}, "equal but for their length"),
        ({"sequences": [[1], np.zeros(0, int)]}, "sequence 1 is empty"),
        ({"sequences": [[1]], "remainder": "drop"}, r"\[1, 0, 0\] for batches of \[16, 8, 4\]"),
        ({"seed": -1}, "seed must be"),
    ],
    ids=range(12),
)
def test_mistakes(changes, message):
    with pytest.raises(ValueError, match=message):
        Buckets(**{"sequences": sequences, **options, **changes})


def test_seeking_beyond_the_end_is_an_error():
    buckets = Buckets(sequences, **options)
    with pytest.raises(ValueError, match=f"an epoch has {len(buckets)} batches"):
        buckets.epoch(0, len(buckets) + 1)
    with pytest.raises(ValueError, match="number of a batch"):
        buckets[-1]
