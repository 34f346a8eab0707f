"""Calibration: whether what has a probability of 0.8 is right in 80 of 100 cases."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_size, check_within
from jaxnet.metrics.classification import class_numbers
from jaxnet.metrics.metric import Metric, amounts, defined, nothing, share


class Reliability(NamedTuple):
    """Each bin's number of examples, their mean confidence and accuracy: ``[bins]``."""

    examples: jax.Array
    confidence: jax.Array
    accuracy: jax.Array


def reliability(bins: int = 15, *, weighted: bool = False) -> Metric:
    """Confidence and accuracy in each of ``bins`` equal intervals of confidence.

    ``update(state, probabilities, labels, weights=None, mask=None)`` takes probabilities
    ``[..., C]`` and labels as ``accuracy`` does. The confidence is the largest probability, and
    bin m has those from ``(m - 1) / bins``, without, to ``m / bins``. An empty bin has zeros.
    ``then(expected_calibration_error)`` is one number of it (arXiv:1706.04599). Probabilities of
    yes or no become ``[..., 2]`` as ``jnp.stack([1 - p, p], -1)``. Raises ValueError as
    ``accuracy``, for a number of bins below 1, and for probabilities that can be seen to lie
    outside [0, 1].

    >>> metric = reliability(2)
    >>> metric(jnp.array([[0.7, 0.3], [0.1, 0.9]]), jnp.array([0, 0]))
    Reliability(examples=Array([0, 2], dtype=int32), confidence=Array([0. , 0.8], dtype=float32),
        accuracy=Array([0. , 0.5], dtype=float32))
    """
    check_size(bins, "bins of reliability")

    def update(
        state: Reliability,
        probabilities: jax.Array,
        labels: jax.Array,
        *,
        weights: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> Reliability:
        p, labels, mask = class_numbers(probabilities, labels, mask, "reliability")
        fix = "for logits give jax.nn.softmax(logits)"
        check_within(p, "the prediction of reliability", fix)
        each = amounts(labels.shape, weights, mask, weighted, "reliability")
        confidence = p.max(-1)
        place = jnp.clip(jnp.ceil(confidence * bins) - 1, 0, bins - 1).astype(jnp.int32)
        hits = p.argmax(-1).astype(jnp.int32) == labels

        def total(amounts: jax.Array) -> jax.Array:
            return jnp.zeros(bins, amounts.dtype).at[place].add(amounts)

        examples = total(each)
        trust = share(total(each.astype(float) * confidence.astype(float)), examples)
        return merge(
            state, Reliability(examples, trust, share(total(jnp.where(hits, each, 0)), examples))
        )

    def merge(state: Reliability, other: Reliability) -> Reliability:
        examples = state.examples + other.examples
        part = share(other.examples, examples)
        confidence = state.confidence + part * (other.confidence - state.confidence)
        accuracy = state.accuracy + part * (other.accuracy - state.accuracy)
        return Reliability(examples, confidence, accuracy)

    def init() -> Reliability:
        return Reliability(nothing((bins,), weighted), jnp.zeros(bins), jnp.zeros(bins))

    return Metric(init, update, merge, lambda state: state)


def expected_calibration_error(reliability: Reliability) -> jax.Array:
    """The mean of ``|accuracy - confidence|`` over bins, weighed by their examples.

    It is that of arXiv:1706.04599, equation 3. Raises ValueError where it can be seen that there is
    no example; under ``jit`` that is NaN.

    >>> metric = reliability(2).then(expected_calibration_error)
    >>> metric(jnp.array([[0.7, 0.3], [0.1, 0.9]]), jnp.array([0, 0])).round(4)
    Array(0.3, dtype=float32)
    """
    total = reliability.examples.sum()
    return defined((share(reliability.examples, total) * _gap(reliability)).sum(), total)


def maximum_calibration_error(reliability: Reliability) -> jax.Array:
    """The largest ``|accuracy - confidence|`` of a bin with examples (arXiv:1706.04599).

    Raises ValueError as ``expected_calibration_error``.

    >>> metric = reliability(2).then(maximum_calibration_error)
    >>> metric(jnp.array([[0.7, 0.3], [0.1, 0.9]]), jnp.array([0, 0])).round(4)
    Array(0.3, dtype=float32)
    """
    return defined(_gap(reliability).max(), reliability.examples.sum())


def _gap(reliability: Reliability) -> jax.Array:
    return jnp.abs(reliability.accuracy - reliability.confidence)
