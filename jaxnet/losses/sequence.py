"""Connectionist temporal classification: labels without their times (Graves et al. 2006)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_axes, check_integers, check_nonempty, check_prediction
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, seen
from jaxnet.losses.reduce import Reduction, reduce, shown

# Stands for log 0, without the NaNs that -inf makes of gradients.
_NEVER = -1e30


def ctc(
    logits: jax.Array,
    labels: jax.Array,
    input_lengths: jax.Array | None = None,
    label_lengths: jax.Array | None = None,
    *,
    blank: int = 0,
    zero_infinity: bool = False,
    per_label: bool = True,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``-log`` of the probability of the labels, summed over all their alignments in time.

    An alignment has one class at each of T times; without repetitions, and then without the class
    ``blank``, it is the labels. Logits are ``[..., T, C]`` (log-probabilities will do, since a
    log-softmax leaves those as they are), labels ``[..., L]``; of both the first ``input_lengths``
    and ``label_lengths`` ``[...]`` count, by default all. The loss of each example is divided by
    its number of labels, as is PyTorch's mean, unless ``per_label=False``, as are its sum and
    Keras's. Labels that do not fit into their time cost inf, without a gradient, or with
    ``zero_infinity`` nothing. Weights, mask and reduction are those of ``reduce``, with a loss for
    each example ``[...]``. The gradient in the logits is ``softmax`` less the time spent at each
    class, as in PyTorch.
    Raises ValueError for other shapes and dtypes, empty inputs, a ``blank`` that is no class, and
    where they can be seen labels that are no class or blank, and lengths beyond T and L.

    >>> ctc(jnp.zeros((2, 3)), jnp.array([1])).round(4)  # 1 1, 1 blank or blank 1 of 9
    Array(1.0986, dtype=float32)
    """
    scores, symbols, times, sizes = _checked(
        logits, labels, input_lengths, label_lengths, blank, mask
    )
    log_p = jnp.maximum(jax.nn.log_softmax(scores), _NEVER)
    places = jax.lax.broadcasted_iota(sizes.dtype, symbols.shape, symbols.ndim - 1)
    within = places < sizes[..., None]
    symbols = jnp.where(within, symbols, 0)
    paths = jnp.moveaxis(jnp.take_along_axis(log_p, symbols[..., None, :], -1, mode="fill"), -2, 0)
    # From one label straight to the next, if they differ: else a blank must lie between.
    direct = jnp.concatenate(
        [jnp.zeros_like(within[..., :1]), symbols[..., 1:] != symbols[..., :-1]], -1
    )[..., : symbols.shape[-1]]

    def step(state: Any, frame: Any) -> Any:
        between, at = state  # log-probabilities of [..., L + 1] blanks, [..., L] labels
        time, rest, hits = frame
        nowhere = jnp.full_like(between[..., :1], _NEVER)
        stay = jnp.logaddexp(between, jnp.concatenate([nowhere, at], -1))
        before = jnp.concatenate([nowhere, at], -1)[..., :-1]
        enter = jnp.logaddexp(
            jnp.logaddexp(at, between[..., :-1]), jnp.where(direct, before, _NEVER)
        )
        runs = (time < times)[..., None]
        between = jnp.where(runs, stay + jnp.broadcast_to(rest[..., None], stay.shape), between)
        return (between, jnp.where(runs, enter + hits, at)), None

    # Before the first time there is the first blank alone.
    start = jnp.full((*symbols.shape[:-1], symbols.shape[-1] + 1), _NEVER, log_p.dtype)
    state = (start.at[..., 0].set(0), start[..., 1:])
    frames = (
        jnp.arange(scores.shape[-2], dtype=jnp.int32),
        jnp.moveaxis(log_p[..., blank], -1, 0),
        paths,
    )
    (between, at), _ = jax.lax.scan(step, state, frames)
    ends = jnp.logaddexp(between, jnp.concatenate([jnp.full_like(start[..., :1], _NEVER), at], -1))
    each = -jnp.take_along_axis(ends, sizes[..., None], -1, mode="fill")[..., 0]
    each = jnp.where(each < -_NEVER / 2, each, 0 if zero_infinity else jnp.inf)
    if per_label:
        each = each / jnp.maximum(sizes, 1).astype(each.dtype)
    return reduce(each, weights, mask, reduction, "ctc")


def _checked(
    logits: Any, labels: Any, input_lengths: Any, label_lengths: Any, blank: int, mask: Any
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Scores, labels and lengths as arrays; an example that does not count has no labels."""
    check_prediction(logits, "the prediction of ctc")
    check_axes(logits, 2, "the prediction of ctc")
    check_nonempty(logits, "ctc")
    check_integers(labels, "labels of ctc")
    batch, (times, classes) = logits.shape[:-2], logits.shape[-2:]
    if labels.shape[:-1] != batch or not labels.shape:
        raise ValueError(
            f"ctc was given logits {describe(logits)}, [..., T, C], and labels {describe(labels)}, "
            f"but needs labels [..., L] with the same axes {batch} before the last"
        )
    if not isinstance(blank, int) or not 0 <= blank < classes:
        raise ValueError(
            f"blank of ctc must be one of the {classes} classes, 0 to {classes - 1}, but is "
            f"{describe(blank)}"
        )
    spans = (
        _lengths(given, most, batch, mask, f"{name} of ctc")
        for name, given, most in (
            ("input_lengths", input_lengths, times),
            ("label_lengths", label_lengths, labels.shape[-1]),
        )
    )
    times_used, labels_used = spans
    known, sizes = seen(labels), seen(labels_used)
    if known is not None and sizes is not None:
        used = known[np.arange(labels.shape[-1]) < sizes[..., None]]
        if ((used < 0) | (used >= classes) | (used == blank)).any():
            raise ValueError(
                f"labels of ctc lie between {used.min()} and {used.max()}, but must be classes "
                f"from 0 to {classes - 1} other than blank={blank}; give label_lengths if the rest "
                "is padding"
            )
    scores = shown(jnp.asarray(logits).astype(at_least_float32(logits)), mask, "ctc")
    return scores, jnp.asarray(labels), times_used, labels_used


def _lengths(given: Any, most: int, batch: tuple[int, ...], mask: Any, what: str) -> jax.Array:
    if given is None:
        return shown(jnp.full(batch, most, jnp.int32), mask, "ctc", 0)
    check_integers(given, what)
    if given.shape != batch:
        raise ValueError(f"{what} must have the shape {batch}, but is {describe(given)}")
    spans = shown(jnp.asarray(given, jnp.int32), mask, "ctc", 0)
    known = seen(spans)
    if known is not None and known.size and (known.min() < 0 or known.max() > most):
        raise ValueError(
            f"{what} lie between {known.min()} and {known.max()}, but there are {most}; count what "
            "is not padding"
        )
    return spans
