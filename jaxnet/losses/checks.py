"""What losses ask of their inputs, and the dtype that they compute in."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.errors import check_float, describe, is_array, seen


def wide(*arrays: jax.Array) -> Any:
    """The widest dtype of float32 and those of ``arrays`` that are floating point.

    >>> wide(jnp.ones(3, jnp.bfloat16), jnp.ones(3, int))
    dtype('float32')
    """
    floats = [x.dtype for x in arrays if jnp.issubdtype(x.dtype, jnp.floating)]
    return max([jnp.dtype(jnp.float32), *floats], key=lambda dtype: dtype.itemsize)


def absolute(x: jax.Array) -> jax.Array:
    """``|x|`` with the derivative 0 at 0, as in PyTorch; that of ``jnp.abs`` is 1 there.

    >>> jax.grad(absolute)(0.0), jax.grad(jnp.abs)(0.0)
    (Array(0., dtype=float32, weak_type=True), Array(1., dtype=float32, weak_type=True))
    """
    return x * jnp.sign(x)


def check_prediction(x: Any, what: str) -> None:
    """Raise unless ``x`` is an array of real floating-point numbers."""
    check_float(x, what)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(
            f"{what} must be real, but is {describe(x)}; "
            "compare the parts: jnp.stack([x.real, x.imag], -1)"
        )


def check_nonempty(x: Any, loss: str) -> None:
    """Raise if there is nothing to average."""
    if not jnp.size(x):
        raise ValueError(
            f"{loss} is the mean over all examples, but was given {describe(x)}: the mean of "
            "nothing is not defined; leave out empty batches"
        )


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
    dtype = wide(predictions, targets)
    return predictions.astype(dtype), targets.astype(dtype)


def check_within(x: jax.Array, what: str, fix: str) -> None:
    """Raise if values that can be seen are outside [0, 1]; NaN passes and makes the loss NaN."""
    known = seen(x)
    if known is not None and (known.min() < 0 or known.max() > 1):
        low, high = known.min(), known.max()
        raise ValueError(f"{what} lies between {low} and {high}, not within [0, 1]; {fix}")


def _same_shape(predictions: Any, targets: Any) -> str:
    shapes = {"predictions": predictions.shape, "targets": targets.shape}
    longer, shorter = sorted(shapes, key=lambda name: len(shapes[name]), reverse=True)
    if tuple(n for n in shapes[longer] if n != 1) == tuple(n for n in shapes[shorter] if n != 1):
        axes = "squeeze(-1)" if shapes[longer] == (*shapes[shorter], 1) else None
        return f"drop the axis of 1: {longer}.{axes or f'reshape({shorter}.shape)'}"
    return "give both one shape; if broadcasting is meant, say so with jnp.broadcast_to"
