"""Metrics against scikit-learn, and streaming ones against the whole."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from jaxnet import losses
from jaxnet.metrics import (
    Metric,
    accuracy,
    binary_accuracy,
    confusion_matrix,
    precision_recall_f1,
    streaming,
)


@pytest.fixture(autouse=True, scope="module")
def strict() -> Iterator[None]:
    with jax.numpy_dtype_promotion("strict"):
        yield


quick = settings(deadline=None, max_examples=10)
CLASSES = 4


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Logits [N, 4] and labels [N], often without some class."""
    n, seed = draw(st.sampled_from([1, 9])), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((n, CLASSES)).astype(np.float32)
    return logits, rng.integers(0, draw(st.integers(1, CLASSES)), n).astype(np.int32)


def whole(metric: Metric, *data: Any, sizes: Any) -> Any:
    """The metric after one update a part."""
    state, start = metric.init(), 0
    for size in sizes:
        state = metric.update(state, *(jnp.asarray(x[start : start + size]) for x in data))
        start += size
    return metric.compute(state)


@given(scored())
@quick
def test_against_scikit_learn(data: tuple[np.ndarray, np.ndarray]) -> None:
    logits, labels = map(jnp.asarray, data)
    true, predicted = data[1], data[0].argmax(-1)
    expected = sk.accuracy_score(true, predicted)
    np.testing.assert_allclose(accuracy(logits, labels), expected, rtol=1e-6)
    rows = losses.one_hot(labels, CLASSES)
    np.testing.assert_allclose(accuracy(logits, rows), expected, rtol=1e-6)
    metric, names = confusion_matrix(CLASSES), range(CLASSES)
    matrix = metric.compute(metric.update(metric.init(), logits, labels))
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(true, predicted, labels=names))
    scores = precision_recall_f1(matrix)
    oracle: Any = sk.precision_recall_fscore_support
    expected = oracle(true, predicted, labels=names, zero_division=0)[:3]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


@given(st.lists(st.sampled_from([1, 7]), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
@quick
def test_streaming_equals_the_whole(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((sum(sizes), CLASSES)).astype(np.float32)
    labels = rng.integers(0, CLASSES, sum(sizes))
    for fn in (accuracy, losses.softmax_cross_entropy):
        found = whole(streaming(fn), logits, labels, sizes=sizes)
        np.testing.assert_allclose(found, fn(jnp.array(logits), jnp.array(labels)), rtol=1e-5)


def test_merging_equals_updating() -> None:
    logits = jax.random.normal(jax.random.key(0), (9, CLASSES))
    labels = jnp.arange(9) % CLASSES
    for metric in (streaming(accuracy), confusion_matrix(CLASSES)):
        parts = [metric.update(metric.init(), logits[i], labels[i]) for i in (np.s_[:2], np.s_[2:])]
        merged = metric.compute(metric.merge(metric.merge(metric.init(), parts[0]), parts[1]))
        np.testing.assert_allclose(merged, whole(metric, logits, labels, sizes=[9]), rtol=1e-6)
        jax.tree.map(np.testing.assert_array_equal, metric.merge(parts[0], metric.init()), parts[0])


def test_metrics_run_in_a_scan_under_jit() -> None:
    logits = jax.random.normal(jax.random.key(0), (3, 8, CLASSES))
    labels = jnp.arange(24).reshape(3, 8) % CLASSES
    for metric in (streaming(accuracy), confusion_matrix(CLASSES)):

        @jax.jit
        def run(logits: jax.Array, labels: jax.Array, metric: Metric = metric) -> Any:
            step = lambda state, batch: (metric.update(state, *batch), None)
            return metric.compute(jax.lax.scan(step, metric.init(), (logits, labels))[0])

        expected = whole(metric, logits.reshape(24, -1), labels.ravel(), sizes=[24])
        np.testing.assert_allclose(run(logits, labels), expected, rtol=1e-6)


def test_streaming_stays_exact_over_many_examples() -> None:
    metric = streaming(jnp.mean)
    batches = jnp.broadcast_to(jnp.array([0.0, 1.0, 1.0, 1.0]), (100_000, 4))
    step = lambda state, batch: (metric.update(state, batch), None)
    state, _ = jax.lax.scan(step, {"mean": jnp.array(0.75), "examples": jnp.int32(10**8)}, batches)
    assert state["examples"] == 10**8 + 400_000
    np.testing.assert_allclose(metric.compute(state), 0.75, rtol=1e-6)


def test_binary_accuracy() -> None:
    p = jnp.array([[0.9], [0.5], [0.51], [0.0]])
    for dtype in (bool, int, jnp.float32, jnp.bfloat16):
        assert binary_accuracy(p, jnp.array([[1], [0], [0], [0]], dtype)) == 0.75
    assert binary_accuracy(p, jnp.ones((4, 1))).dtype == jnp.float32


def test_predictions_of_images_and_low_precision() -> None:
    logits = jnp.eye(4, dtype=jnp.bfloat16).reshape(2, 2, 4)
    assert accuracy(logits, jnp.array([[0, 1], [2, 0]])) == 0.75
    assert accuracy(logits, jnp.array([[0, 1], [2, 0]])).dtype == jnp.float32


def test_labels_that_do_not_exist_are_not_counted_under_jit() -> None:
    metric = confusion_matrix(2)
    counts = jax.jit(metric.update)(metric.init(), jnp.eye(3, 2), jnp.array([0, -1, 2]))
    np.testing.assert_array_equal(counts, [[1, 0], [0, 0]])


LOGITS = jnp.zeros((8, 3))
LABELS = jnp.zeros(8, int)
matrix = confusion_matrix(3)
mean = streaming(jnp.mean)
ERRORS = {
    r"accuracy was given.*float32\[8,3\].*int32\[8,1\].*squeeze\(-1\)":
        lambda: accuracy(LOGITS, LABELS[:, None]),
    r"class numbers of accuracy must be integers, but are float32\[8\]":
        lambda: accuracy(LOGITS, LABELS.astype(jnp.float32)),
    r"the prediction of accuracy must be floating point": lambda: accuracy(LABELS, LABELS),
    r"labels of accuracy lie between 3 and 3, but 3 classes": lambda: accuracy(LOGITS, LABELS + 3),
    r"accuracy is the mean.*nothing": lambda: accuracy(LOGITS[:0], LABELS[:0]),
    r"never broadcasts.*float32\[8,3\] and the targets int32\[8\]": lambda: binary_accuracy(
        LOGITS, LABELS
    ),
    r"between 0.0 and 2.0, not within.*sigmoid\(logits\)":
        lambda: binary_accuracy(jnp.array([0.0, 2.0]), jnp.array([0, 1])),
    r"binary_accuracy is the mean.*nothing": lambda: binary_accuracy(LOGITS[:0], LOGITS[:0]),
    r"matrix has 3 classes, but the logits are float32\[8,4\], with 4":
        lambda: matrix.update(matrix.init(), jnp.zeros((8, 4)), LABELS),
    r"confusion_matrix was given": lambda: matrix.update(matrix.init(), LOGITS, LABELS[:7]),
    r"classes of confusion_matrix must be an int": lambda: confusion_matrix(0),
    r"a confusion matrix \[classes, classes\] was needed, but float32\[8,3\]":
        lambda: precision_recall_f1(LOGITS),
    r"one for all arrays, but was given float32\[8,3\], int32\[7\]":
        lambda: mean.update(mean.init(), LOGITS, LABELS[:7]),
    r"first axis.*but was given none": lambda: mean.update(mean.init()),
    r"first axis.*but was given float32\[\]": lambda: mean.update(mean.init(), jnp.zeros(())),
    r"averages one number a batch, but was given float32\[8\]":
        lambda: streaming(jnp.sin).update(mean.init(), LOGITS[:, 0]),
    r"the mean of nothing is not defined: update": lambda: mean.compute(mean.init()),
}  # fmt: skip


@pytest.mark.parametrize("message", ERRORS)
def test_errors(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ERRORS[message]()


def test_the_mean_of_nothing_is_nan_under_jit() -> None:
    assert np.isnan(jax.jit(mean.compute)(mean.init()))
