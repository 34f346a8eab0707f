"""What functions ask of their arguments, each a check that raises with the likely fix."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.dtypes import at_least_float32, is_key
from jaxnet.core.errors import describe, is_array, near, seen


def check_key(key: Any) -> None:
    """Raise unless ``key`` is one typed random key."""
    if not is_array(key) or not is_key(key):
        raise ValueError(
            f"a random key was needed, but {describe(key)} was given; make one with "
            "jax.random.key(0)"
        )
    if key.shape:
        raise ValueError(
            f"one random key was needed, but an array of {key.shape} keys was given; "
            "take one of them, or map over them with jax.vmap"
        )


def check_float(x: Any, what: str) -> None:
    """Raise unless ``x`` is a floating-point array."""
    if not is_array(x):
        raise ValueError(f"{what} must be an array, but is {describe(x)}; wrap it: jnp.asarray(x)")
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise ValueError(
            f"{what} must be floating point, but is {describe(x)}; "
            "convert it: x.astype(jnp.float32) (and scale images, as in x / 255)"
        )


def check_axes(x: Any, least: int, what: str) -> None:
    """Raise unless ``x`` has at least ``least`` axes."""
    if x.ndim < least:
        raise ValueError(
            f"{what} needs at least {least} axes, but is {describe(x)}; "
            "the last axis holds the features, a batch goes before it"
        )


def check_size(value: Any, what: str, *, least: int = 1) -> None:
    """Raise unless ``value`` is an int of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{what} must be an int of at least {least}, but is {describe(value)}")


def check_positive(value: Any, what: str) -> None:
    """Raise unless ``value`` is a number above zero."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
        raise ValueError(f"{what} must be a number above 0, but is {describe(value)}")


def check_at_least(value: Any, least: float, what: str) -> None:
    """Raise unless ``value`` is a number of at least ``least``."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not value >= least:
        raise ValueError(f"{what} must be a number of at least {least}, but is {describe(value)}")


def check_choice(value: Any, choices: Iterable[str], name: str, what: str) -> None:
    """Raise unless ``value`` is one of the ``choices`` of ``what`` for its option ``name``."""
    if value not in choices:
        raise ValueError(f"{what} has no {name}={value!r}; {near(str(value), choices)}")


def check_axis(x: Any, axis: Any, what: str) -> None:
    """Raise unless ``axis`` is an int that numbers one of the axes of ``x``."""
    if not isinstance(axis, int) or isinstance(axis, bool) or not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"axis of {what} must be an int from {-x.ndim} to {x.ndim - 1}, an axis of "
            f"{describe(x)}, but is {describe(axis)}"
        )


def check_integers(x: Any, what: str) -> None:
    """Raise unless ``x`` is an array of integers."""
    if not is_array(x) or not jnp.issubdtype(x.dtype, jnp.integer):
        raise ValueError(
            f"{what} must be integers, but is {describe(x)}; "
            "convert it: jnp.asarray(x).astype(jnp.int32)"
        )


def check_real(
    x: Any,
    what: str,
    *,
    integers: bool = False,
    fix: str = "give its parts one by one: x.real, x.imag",
) -> None:
    """Raise unless ``x`` is an array of real numbers: floating point, or ``integers`` as well."""
    if integers and is_array(x) and jnp.issubdtype(x.dtype, jnp.integer):
        return
    check_float(x, what)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{what} must be real, but is {describe(x)}; {fix}")


def check_prediction(x: Any, what: str) -> None:
    """Raise unless ``x`` is an array of real floating-point numbers."""
    check_real(x, what, fix="compare the parts: jnp.stack([x.real, x.imag], -1)")


def check_nonempty(x: Any, loss: str) -> None:
    """Raise if there is nothing to average."""
    if not jnp.size(x):
        raise ValueError(
            f"{loss} is the mean over all examples, but was given {describe(x)}: the mean of "
            "nothing is not defined; leave out empty batches"
        )


def check_within(x: jax.Array, what: str, fix: str) -> None:
    """Raise if values that can be seen are outside [0, 1]; NaN passes and makes the loss NaN."""
    known = seen(x)
    if known is not None and (known.min() < 0 or known.max() > 1):
        low, high = known.min(), known.max()
        raise ValueError(f"{what} lies between {low} and {high}, not within [0, 1]; {fix}")


def check_labelled(scores: Any, labels: Any, loss: str) -> tuple[jax.Array, jax.Array]:
    """Scores ``[..., C]`` and their labels as arrays; raises unless they fit each other."""
    check_prediction(scores, f"the prediction of {loss}")
    check_axes(scores, 1, f"the prediction of {loss}")
    if not is_array(labels) or labels.shape not in (scores.shape, scores.shape[:-1]):
        raise ValueError(
            f"{loss} was given predictions {describe(scores)} and labels {describe(labels)}, but "
            f"needs class numbers of shape {scores.shape[:-1]} or distributions of shape "
            f"{scores.shape}; {_label_fix(scores, labels)}"
        )
    check_nonempty(scores, loss)
    scores, labels = jnp.asarray(scores), jnp.asarray(labels)
    if labels.ndim < scores.ndim:
        check_numbers(labels, scores.shape[-1], loss)
    elif (known := seen(labels)) is not None:
        sums = known.astype(np.float32).sum(-1)
        worst = sums.ravel()[np.abs(sums - 1).argmax()]
        if abs(worst - 1) > 0.01:
            raise ValueError(
                f"{loss} was given labels {describe(labels)} as distributions over the classes, "
                f"but a row sums to {worst}, not 1; "
                "where several classes can be true at once use sigmoid_cross_entropy"
            )
    return scores, labels


def check_numbers(labels: Any, classes: int, what: str) -> None:
    """Raise unless labels are integers and, where they can be seen, from 0 to classes - 1."""
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"the class numbers of {what} must be integers, but are {describe(labels)}; convert "
            "them: labels.astype(jnp.int32), or give distributions: one_hot(labels, classes)"
        )
    known = seen(labels)
    if known is None or not known.size:
        return
    least, most = known.min(), known.max()
    if least < 0 or most >= classes:
        raise ValueError(
            f"the labels of {what} lie between {least} and {most}, but "
            f"{classes} classes have the numbers 0 to {classes - 1}; "
            "subtract 1 if they count from 1, and leave out examples without a class"
        )


def _label_fix(scores: Any, labels: Any) -> str:
    if not is_array(labels):
        return "wrap the labels: jnp.asarray(labels)"
    if labels.shape == (*scores.shape[:-1], 1):
        return "drop the last axis of the labels: labels.squeeze(-1)"
    return "each row of the predictions needs one label"


def matched(predictions: Any, targets: Any, loss: str) -> tuple[jax.Array, jax.Array]:
    """Both in the dtype to compute in; raises unless they are arrays of one shape, not empty."""
    check_prediction(predictions, f"the prediction of {loss}")
    if not is_array(targets):
        raise ValueError(
            f"the target of {loss} must be an array, but is {describe(targets)}; "
            "wrap it: jnp.asarray(targets)"
        )
    if predictions.shape != targets.shape:
        raise ValueError(
            f"{loss} compares entry with entry and never broadcasts, but the predictions are "
            f"{describe(predictions)} and the targets {describe(targets)}; "
            f"{_same_shape(predictions, targets)}"
        )
    check_nonempty(predictions, loss)
    predictions, targets = jnp.asarray(predictions), jnp.asarray(targets)
    dtype = at_least_float32(predictions, targets)
    return predictions.astype(dtype), targets.astype(dtype)


def _same_shape(predictions: Any, targets: Any) -> str:
    shapes = {"predictions": predictions.shape, "targets": targets.shape}
    longer, shorter = sorted(shapes, key=lambda name: len(shapes[name]), reverse=True)
    if tuple(n for n in shapes[longer] if n != 1) == tuple(n for n in shapes[shorter] if n != 1):
        axes = "squeeze(-1)" if shapes[longer] == (*shapes[shorter], 1) else None
        return f"drop the axis of 1: {longer}.{axes or f'reshape({shorter}.shape)'}"
    return "give both one shape; if broadcasting is meant, say so with jnp.broadcast_to"
