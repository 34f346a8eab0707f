"""Scores of classes against scikit-learn, and against their definitions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from jaxnet import losses
from jaxnet import metrics as m

quick = settings(deadline=None, max_examples=10)
CLASSES = 4
NAMES = range(CLASSES)
AVERAGES = (None, "micro", "macro", "weighted")


def classify(n: int, used: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits [n, 4] and labels [n] that are often true, and not of every class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, used, n).astype(np.int32)
    return rng.standard_normal((n, CLASSES)).astype(np.float32) + 2 * np.eye(4, dtype="f")[
        labels
    ], labels


some = given(st.sampled_from([1, 9]), st.integers(1, CLASSES), st.integers(0, 2**32 - 1))


def match(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)


def jitted(name: str, **options: Any) -> Any:
    return jax.jit(lambda *args: getattr(m, name)(*args, **options))


right, often = jitted("accuracy"), {k: jitted("top_k_accuracy", k=k) for k in (1, 2, CLASSES)}
sure = jitted("brier")


@pytest.mark.oracle("metrics.accuracy", "metrics.top_k_accuracy", "metrics.brier")
@some
@quick
def test_of_classes(n: int, used: int, seed: int) -> None:
    logits, labels = classify(n, used, seed)
    rows, best = np.eye(CLASSES)[labels], logits.argmax(-1)
    match(right(logits, labels), sk.accuracy_score(labels, best))
    match(right(logits, losses.one_hot(labels, CLASSES)), sk.accuracy_score(labels, best))
    for k, score in often.items():
        if k < CLASSES:
            found = sk.top_k_accuracy_score(labels, logits, k=k, labels=NAMES)
            match(score(logits, labels), found)
        else:
            assert score(logits, labels) == 1
    p = np.asarray(jax.nn.softmax(logits))
    match(sure(p, labels), ((p - rows) ** 2).sum(-1).mean())
    match(sure(p, rows), sure(p, labels))


def test_equal_entries_rank_by_their_place() -> None:
    logits = np.array([[1, 1, 1, 0]], np.float32)
    order = np.asarray(jax.lax.top_k(logits, CLASSES)[1][0])
    for label in range(CLASSES):
        for k, score in often.items():
            assert score(logits, np.array([label], np.int32)) == (label in order[:k])


@jax.jit
def scores(matrix: jax.Array) -> dict[str, Any]:
    averaged = {
        average: (
            m.precision(matrix, average or "none"),
            m.recall(matrix, average or "none"),
            m.f_beta(matrix, average or "none", beta=0.5),
            m.iou(matrix, average or "none"),
            m.specificity(matrix, average or "none"),
        )
        for average in ("", *AVERAGES[1:])
    }
    return averaged | {"f1": m.precision_recall_f1(matrix)}


@jax.jit
def single(matrix: jax.Array) -> list[jax.Array]:
    distances = ("equal", "linear", "quadratic")
    kappas = [m.cohen_kappa(matrix, distance=d) for d in distances]
    return [m.balanced_accuracy(matrix), m.mean_iou(matrix), m.matthews(matrix), *kappas]


def check_averages(found: dict[str, Any], true: Any, predicted: Any, **names: Any) -> None:
    cells: Any = sk.multilabel_confusion_matrix(true, predicted, **names)
    truth, calm = cells[:, 1].sum(-1), cells[:, 0, 0]
    negative = calm + cells[:, 0, 1]
    each = np.where(negative > 0, calm / np.maximum(negative, 1), 0)
    specificity = {
        "": each,
        "micro": calm.sum() / max(negative.sum(), 1),
        "macro": each.mean(),
        "weighted": (each * truth).sum() / max(truth.sum(), 1),
    }
    oracle: Any = sk.precision_recall_fscore_support
    for average in AVERAGES:
        options: Any = {"average": average, "zero_division": 0, **names}
        got = found[average or ""]
        for i, score in enumerate(oracle(true, predicted, beta=0.5, **options)[:3]):
            match(got[i], score)
        match(got[3], sk.jaccard_score(true, predicted, **options))
        match(got[4], specificity[average or ""])
    options = {"average": None, "zero_division": 0, **names}
    for got, score in zip(found["f1"], oracle(true, predicted, **options)[:3], strict=True):
        match(got, score)


count = jax.jit(m.confusion_matrix(CLASSES).__call__)


@pytest.mark.oracle(
    "metrics.confusion_matrix",
    "metrics.precision_recall_f1",
    "metrics.precision",
    "metrics.recall",
    "metrics.specificity",
    "metrics.f_beta",
    "metrics.iou",
    "metrics.mean_iou",
    "metrics.balanced_accuracy",
    "metrics.matthews",
    "metrics.cohen_kappa",
)
@some
@quick
def test_of_a_confusion_matrix(n: int, used: int, seed: int) -> None:
    logits, labels = classify(n, used, seed)
    best = logits.argmax(-1)
    matrix = count(logits, labels)
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(labels, best, labels=NAMES))
    check_averages(scores(matrix), labels, best, labels=NAMES)
    balanced, overlap, phi, *kappas = single(matrix)
    there = np.unique(labels)
    match(balanced, np.mean([(best == c)[labels == c].mean() for c in there]))
    overlaps = [
        ((best == c) & (labels == c)).sum() / ((best == c) | (labels == c)).sum()
        for c in np.unique([*best, *labels])
    ]
    match(overlap, np.mean(overlaps))
    # Where there is one class only, scikit-learn warns.
    if len(np.unique([*best, *labels])) > 1:
        match(phi, sk.matthews_corrcoef(labels, best))
        for weights, kappa in zip((None, "linear", "quadratic"), kappas, strict=True):
            options: Any = {"weights": weights, "labels": NAMES}
            match(kappa, sk.cohen_kappa_score(labels, best, **options))


several = jax.jit(m.multilabel_confusion(3, threshold=0.6).__call__)
binary = jitted("binary_accuracy", threshold=0.6)


@pytest.mark.oracle("metrics.multilabel_confusion", "metrics.binary_accuracy")
@given(st.sampled_from([2, 9]), st.integers(0, 2**32 - 1))
@quick
def test_of_several_labels(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.random((n, 3)).astype(np.float32)
    y = (rng.random((n, 3)) < 0.4).astype(int)
    found = several(p, y)
    np.testing.assert_array_equal(found, sk.multilabel_confusion_matrix(y, p > 0.6))
    check_averages(scores(found), y, (p > 0.6).astype(int))
    match(binary(p, y), sk.accuracy_score(y.ravel(), (p > 0.6).ravel()))


@given(st.lists(st.integers(0, 10**9), min_size=4, max_size=4))
@quick
def test_two_classes_or_one_label(cells: list[int]) -> None:
    counts = np.array(cells).reshape(2, 2) // 4
    ours = np.asarray(scores(jnp.asarray(counts, jnp.int32))["f1"])[:, 1]
    label = np.asarray(scores(jnp.asarray(counts[None], jnp.int32))["f1"])[:, 0]
    match(ours, label)


def test_rare_classes_among_many_examples() -> None:
    true, found = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], [2000, 2, 3, 5], axis=0).T
    matrix = jnp.asarray(sk.confusion_matrix(true, found) * 500_000, jnp.int32)
    match(m.matthews(matrix), sk.matthews_corrcoef(true, found))
    match(m.cohen_kappa(matrix), sk.cohen_kappa_score(true, found))
    match(m.specificity(matrix)[1], 2000 / 2002)
