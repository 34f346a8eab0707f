"""Calibration and perplexity against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from jaxnet import metrics as m

quick = settings(deadline=None, max_examples=10)
BINS = 5


@jax.jit
def calibrated(p: jax.Array, labels: jax.Array) -> tuple[m.Reliability, jax.Array, jax.Array]:
    found = m.reliability(BINS)(p, labels)
    return found, m.expected_calibration_error(found), m.maximum_calibration_error(found)


@pytest.mark.oracle(
    "metrics.reliability",
    "metrics.expected_calibration_error",
    "metrics.maximum_calibration_error",
)
@given(st.integers(0, 2**32 - 1))
@quick
def test_calibration(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(3, 0.5), 20).astype(np.float32)
    labels = rng.integers(0, 3, 20)
    found, expected, most = calibrated(p, labels)
    confidence, hit = p.max(-1), p.argmax(-1) == labels
    gaps, total = [], 0.0
    for i in range(BINS):
        inside = (confidence > np.float32(i / BINS)) & (confidence <= np.float32((i + 1) / BINS))
        assert found.examples[i] == inside.sum()
        if inside.any():
            means = confidence[inside].mean(), hit[inside].mean()
            np.testing.assert_allclose([found.confidence[i], found.accuracy[i]], means, rtol=1e-5)
            gaps.append(abs(means[0] - means[1]))
            total += gaps[-1] * inside.sum() / 20
    np.testing.assert_allclose([expected, most], [total, max(gaps)], rtol=1e-5, atol=1e-6)


def test_sure_probabilities_are_in_the_last_bin_and_low_ones_in_the_first() -> None:
    found = m.reliability(4)(jnp.array([[1.0, 0.0], [0.0, 0.0]]), jnp.array([0, 0]))
    np.testing.assert_array_equal(found.examples, [1, 0, 0, 1])
    np.testing.assert_array_equal(found.accuracy, [1, 0, 0, 1])


scored = jax.jit(m.perplexity(ignore=-100).__call__)


@pytest.mark.oracle("metrics.perplexity")
@given(st.integers(0, 2**32 - 1))
@quick
def test_perplexity(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(2, 5, 4)).astype(np.float32)
    labels = rng.integers(0, 4, (2, 5))
    kept = rng.random((2, 5)) < 0.7
    kept[0, 0] = True
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = np.exp(sk.log_loss(labels[kept], p[kept], labels=range(4)))
    found = scored(logits, np.where(kept, labels, -100))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_perplexity_weighs_tokens_not_batches() -> None:
    logits = jax.random.normal(jax.random.key(0), (2, 6, 4))
    labels = jnp.arange(12).reshape(2, 6) % 4
    mask = jnp.array([[True] * 6, [True] + [False] * 5])
    metric = m.perplexity()
    state, update = metric.init(), jax.jit(metric.update)
    for i in range(2):
        state = update(state, logits[i : i + 1], labels[i : i + 1], mask=mask[i : i + 1])
    np.testing.assert_allclose(
        metric.compute(state), jax.jit(metric.__call__)(logits, labels, mask=mask), rtol=1e-6
    )
    assert state["examples"] == 7
