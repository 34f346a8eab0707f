"""Curves over all thresholds against scikit-learn, with ties and weights."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from jaxnet import metrics as m

quick = settings(deadline=None, max_examples=10)


@jax.jit
def everything(scores: jax.Array, labels: jax.Array, weights: jax.Array) -> Any:
    return (
        m.roc_auc(scores, labels, weights=weights),
        m.average_precision(scores, labels, weights=weights),
        m.roc_curve(scores, labels, weights=weights),
        m.precision_recall_curve(scores, labels, weights=weights),
    )


def draws(seed: int, n: int = 20) -> tuple[Any, Any, Any]:
    """Scores with many ties, labels of both kinds, and weights."""
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=n), rng.integers(0, 3)).astype(np.float32)
    labels = rng.random(n) < rng.uniform(0.1, 0.9)
    labels[:2] = [True, False]
    return scores, labels.astype(int), rng.integers(1, 4, n).astype(np.float32)


def last_of_ties(curve: Any) -> list[np.ndarray]:
    """A curve's points, one for each threshold there is."""
    first = np.unique(-curve.thresholds, return_index=True)[1]
    return [np.asarray(x)[first] for x in curve]


@pytest.mark.oracle(
    "metrics.roc_auc",
    "metrics.average_precision",
    "metrics.roc_curve",
    "metrics.precision_recall_curve",
)
@given(st.integers(0, 2**32 - 1), st.booleans())
@quick
def test_curves(seed: int, weighted: bool) -> None:
    scores, labels, weights = draws(seed)
    weights = weights if weighted else np.ones_like(weights)
    options: Any = {"sample_weight": weights, "drop_intermediate": False}
    area, average, roc, ours = everything(scores, labels, weights)
    match = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    match(area, sk.roc_auc_score(labels, scores, sample_weight=weights))
    match(average, sk.average_precision_score(labels, scores, sample_weight=weights))
    for a, b in zip(last_of_ties(roc), sk.roc_curve(labels, scores, **options), strict=True):
        match(a, b)
    precision, recall, thresholds = sk.precision_recall_curve(labels, scores, **options)
    theirs = precision[::-1], recall[::-1], np.append(thresholds, np.inf)[::-1]
    for a, b in zip(last_of_ties(ours), theirs, strict=True):
        match(a, b)


@given(st.integers(0, 2**32 - 1))
@quick
def test_only_the_order_of_scores_counts(seed: int) -> None:
    scores, labels, weights = draws(seed)
    area, average, *_ = everything(scores, labels, weights)
    turned = everything(np.tanh(scores / 4), labels, weights)
    assert (area, average) == turned[:2]
    np.testing.assert_allclose(everything(-scores, labels, weights)[0], 1 - area, atol=1e-6)


@pytest.mark.oracle("metrics.binned")
@given(st.integers(0, 2**32 - 1))
@quick
def test_bins_are_off_by_half_of_the_pairs_in_one_bin(seed: int) -> None:
    scores, labels, _ = draws(seed)
    scores = 1 / (1 + np.exp(-scores))
    found = binned(scores, labels)
    places = np.minimum((scores * 10).astype(int), 9)
    pairs = [np.sum((places == i) & (labels == y)) for i in range(10) for y in (0, 1)]
    tied = np.prod(np.reshape(pairs, (10, 2)), axis=1).sum()
    exact = sk.roc_auc_score(labels, scores)
    assert abs(found - exact) <= tied / (labels == 0).sum() / (labels == 1).sum() / 2 + 1e-5
    np.testing.assert_allclose(found, sk.roc_auc_score(labels, places), atol=1e-5)


binned = jax.jit(m.binned(m.roc_auc, 10).__call__)


def test_without_weights_counts_are_whole_numbers() -> None:
    n = 2**15
    scores = jnp.arange(n, dtype=jnp.float32)
    labels = (jnp.arange(n) >= n // 2).astype(jnp.int32)
    both = jnp.stack([scores, -scores], 1), jnp.stack([labels] * 2, 1)
    per_label = jax.jit(jax.vmap(m.roc_auc, 1))(*both)
    np.testing.assert_array_equal(per_label, [1, 0])


@pytest.mark.parametrize("labels", [np.zeros(3, int), np.ones(3, int)])
def test_one_label_alone_has_no_curve(labels: np.ndarray) -> None:
    assert np.isnan(jax.jit(m.roc_auc)(np.ones(3, "f"), labels))
    with pytest.raises(ValueError, match=f"has the label {1 - labels[0]}"):
        m.roc_auc(jnp.ones(3), jnp.asarray(labels))
