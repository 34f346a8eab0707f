"""Scores of predicted numbers that are no mean over examples: R², correlation and the like.

All are made of the means and covariances of prediction, target and error, which can be merged
(Chan, Golub and LeVeque 1979, STAN-CS-79-773). These are of deviations, not of squares of the
numbers, so that they stay exact far from zero.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe
from jaxnet.losses.reduce import entries
from jaxnet.metrics.metric import Metric, amounts, defined, nothing, share, total

type State = dict[str, jax.Array]


def r2(outputs: int | None = None, *, weighted: bool = False) -> Metric:
    """``1 - sum (p - y)² / sum (y - mean y)²``, the coefficient of determination.

    ``update(state, predictions, targets, weights=None, mask=None)`` takes arrays ``[...]`` of one
    shape, every entry an example; or, with ``outputs``, ``[..., outputs]`` for a score each
    ``[outputs]``. Where targets are all equal it is 1 if the predictions are, too, and else 0.
    Weights and mask have the shape of the examples or of their first axes, and weights need
    ``weighted=True``. Raises ValueError for unequal shapes, empty inputs, another number of
    outputs, and for ``compute`` before any update (under ``jit`` that is NaN).

    >>> r2()(jnp.array([2.5, 0.0, 2.0, 8.0]), jnp.array([3.0, -0.5, 2.0, 7.0])).round(4)
    Array(0.9486, dtype=float32)
    """

    def score(mean: jax.Array, cov: jax.Array) -> jax.Array:
        return _explained(cov[2, 2] + jnp.square(mean[2]), cov[1, 1])

    return _moments(score, outputs, weighted, "r2")


def explained_variance(outputs: int | None = None, *, weighted: bool = False) -> Metric:
    """``1 - var(p - y) / var(y)``: ``r2`` but for a constant error, which costs nothing.

    Arrays, options and errors are those of ``r2``.

    >>> explained_variance()(jnp.array([2.0, 3.0]), jnp.array([1.0, 2.0]))
    Array(1., dtype=float32)
    """
    return _moments(
        lambda _, cov: _explained(cov[2, 2], cov[1, 1]), outputs, weighted, "explained_variance"
    )


def pearson(outputs: int | None = None, *, weighted: bool = False) -> Metric:
    """``cov(p, y) / (std(p) std(y))``, Pearson's correlation; 0 where either is constant.

    Arrays, options and errors are those of ``r2``.

    >>> pearson()(jnp.array([1.0, 2.0, 4.0]), jnp.array([1.0, 3.0, 2.0])).round(4)
    Array(0.3273, dtype=float32)
    """

    def score(_: jax.Array, cov: jax.Array) -> jax.Array:
        return share(cov[0, 1], jnp.sqrt(cov[0, 0]) * jnp.sqrt(cov[1, 1]))

    return _moments(score, outputs, weighted, "pearson")


def concordance(outputs: int | None = None, *, weighted: bool = False) -> Metric:
    """``2 cov(p, y) / (var(p) + var(y) + (mean p - mean y)²)``: a correlation that wants ``p = y``.

    It is Lin's coefficient (1989, doi:10.2307/2532051); 0 where all numbers are equal. Arrays,
    options and errors are those of ``r2``.

    >>> concordance()(jnp.array([1.0, 2.0, 4.0]), jnp.array([1.0, 3.0, 2.0])).round(4)
    Array(0.2857, dtype=float32)
    """

    def score(mean: jax.Array, cov: jax.Array) -> jax.Array:
        return share(2 * cov[0, 1], cov[0, 0] + cov[1, 1] + jnp.square(mean[2]))

    return _moments(score, outputs, weighted, "concordance")


def _explained(error: jax.Array, whole: jax.Array) -> jax.Array:
    return jnp.where(whole == 0, (error == 0).astype(error.dtype), 1 - share(error, whole))


def _moments(
    score: Callable[[jax.Array, jax.Array], jax.Array], outputs: Any, weighted: bool, name: str
) -> Metric:
    """``score(mean [3, …], cov [3, 3, …])`` of predictions, targets, and their difference."""
    if outputs is not None:
        check_size(outputs, f"outputs of {name}")
    shape = () if outputs is None else (outputs,)

    def init() -> State:
        means, covs = jnp.zeros((3, *shape)), jnp.zeros((3, 3, *shape))
        return {"examples": nothing((), weighted), "mean": means, "cov": covs}

    def update(
        state: State,
        predictions: jax.Array,
        targets: jax.Array,
        *,
        weights: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> State:
        p, y = (x.astype(float) for x in entries(predictions, targets, mask, name))
        if p.shape[p.ndim - len(shape) :] != shape:
            raise ValueError(
                f"{name} has {outputs} outputs, but the predictions are {describe(p)}; they go on "
                "the last axis, or leave out outputs to score all entries as one"
            )
        counts = amounts(p.shape[: p.ndim - len(shape)], weights, mask, weighted, name).ravel()
        values = jnp.stack([p, y, y - p]).reshape(3, counts.size, *shape)
        # Deviations from a value that counts: of what is constant they are exactly 0.
        one = values[:, (counts != 0).argmax()]
        away = values - jnp.broadcast_to(one[:, None], values.shape)
        part = share(counts, counts.sum())
        mean = _sum("n,in...->i...", part, away)
        away = away - jnp.broadcast_to(mean[:, None], away.shape)
        cov = _sum("n,in...,jn...->ij...", part, away, away)
        return merge(state, {"examples": total(counts), "mean": one + mean, "cov": cov})

    def merge(state: State, other: State) -> State:
        examples = state["examples"] + other["examples"]
        part = share(other["examples"], examples)
        step = other["mean"] - state["mean"]
        cov = state["cov"] + part * (other["cov"] - state["cov"])
        between = part * (1 - part) * _sum("i...,j...->ij...", step, step)
        return {"examples": examples, "mean": state["mean"] + part * step, "cov": cov + between}

    def compute(state: State) -> jax.Array:
        return defined(score(state["mean"], state["cov"]), state["examples"])

    return Metric(init, update, merge, compute)


def _sum(equation: str, *arrays: jax.Array) -> jax.Array:
    # Accelerators would round what they multiply.
    return jnp.einsum(equation, *arrays, precision="highest")
