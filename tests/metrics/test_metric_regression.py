"""Scores of numbers against scikit-learn and SciPy, also far from zero."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from jaxnet import metrics as m

quick = settings(deadline=None, max_examples=10)
METRICS = [m.r2, m.explained_variance, m.pearson, m.concordance]


@jax.jit
def scores(p: jax.Array, y: jax.Array, weights: jax.Array) -> list[jax.Array]:
    return [metric(2, weighted=True)(p, y, weights=weights) for metric in METRICS]


@pytest.mark.oracle(
    "metrics.r2", "metrics.explained_variance", "metrics.pearson", "metrics.concordance"
)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([0.0, 1e3]))
@quick
def test_of_numbers(seed: int, weighted: bool, offset: float) -> None:
    rng = np.random.default_rng(seed)
    y = (rng.normal(size=(9, 2)) + offset).astype(np.float32)
    p = (y + rng.uniform(0.1, 1) * rng.normal(size=(9, 2)) + rng.normal()).astype(np.float32)
    weights = rng.integers(1, 4, 9) if weighted else np.ones(9, int)
    options: Any = {"sample_weight": weights, "multioutput": "raw_values"}
    tall, wide = np.repeat(p, weights, 0).astype(float), np.repeat(y, weights, 0).astype(float)
    expected: Any = (
        sk.r2_score(y, p, **options),
        sk.explained_variance_score(y, p, **options),
        [stats.pearsonr(tall[:, i], wide[:, i])[0] for i in (0, 1)],
        2 * ((tall - tall.mean(0)) * (wide - wide.mean(0))).mean(0)
        / (tall.var(0) + wide.var(0) + (tall.mean(0) - wide.mean(0)) ** 2),
    )  # fmt: skip
    for found, wanted in zip(scores(p, y, weights), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=2e-5)


@jax.jit
def in_parts(p: jax.Array, y: jax.Array) -> list[jax.Array]:
    found = []
    for metric in METRICS:
        one = metric()
        state = one.update(one.init(), p[:3], y[:3])
        found.append(one.compute(one.update(state, p[3:], y[3:])))
    return found


@pytest.mark.parametrize(
    ("p", "y", "expected"),
    [
        ([1 / 3] * 4, [1 / 3] * 4, [1, 1, 0, 0]),
        ([1.0, 2.0, 3.0, 4.0], [1 / 3] * 4, [0, 0, 0, 0]),
        ([1 / 3 + 1] * 4, [1 / 3] * 4, [0, 1, 0, 0]),
    ],
)
def test_where_nothing_varies(p: list[float], y: list[float], expected: list[float]) -> None:
    for found, wanted in zip(in_parts(jnp.array(p), jnp.array(y)), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_in_float64() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=50) + 1e6
    p = y + rng.normal(size=50)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        found = jax.jit(m.r2().__call__)(jnp.asarray(p), jnp.asarray(y))
        assert found.dtype == jnp.float64
        np.testing.assert_allclose(found, sk.r2_score(y, p), rtol=1e-9)
