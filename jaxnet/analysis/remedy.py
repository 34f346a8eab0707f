"""What usually helps, by the operation that made a value NaN or infinite."""

import math

import jax.numpy as jnp
import numpy as np

from jaxnet.analysis.evidence import marks
from jaxnet.analysis.interpret import Origin

_SLOPE = (
    "The slope of log, sqrt, a norm, a power or a division is infinite at 0, and 0 times infinity "
    "is NaN, so a where around the result comes too late: its gradient there is still 0 times "
    "infinity. Keep the input away from 0 as well: safe = jnp.where(x > 0, x, 1.0), then "
    "jnp.where(x > 0, jnp.log(safe), 0.0); or add a small number to it: jnp.sqrt(x + 1e-12)."
)
_LOG = (
    "The log of 0 is -inf, and of a negative number NaN: keep the input above 0, as in "
    "jnp.log(jnp.maximum(x, 1e-6)); for probabilities use jax.nn.log_softmax, or a loss on logits."
)
_ROOT = "The root of a negative number is NaN, and 1 / sqrt(0) infinite: add a small number to it."
_DOMAIN = "The function is finite only inside its domain, here (-1, 1): clip the input to it."
_POWER = (
    "0 to a negative power is infinite, and a negative number to a fraction NaN: keep the base "
    "above 0."
)
_MATRIX = (
    "The matrix is singular or not positive definite: add a small multiple of the identity to it."
)
_BY_OPERATION = {
    "log": _LOG,
    "log1p": "log1p(x) needs x > -1: keep the input above it.",
    "sqrt": _ROOT,
    "rsqrt": _ROOT,
    "div": "Division by 0: replace a divisor of 0, as in x / jnp.where(d == 0, 1, d), or add a "
    "small number to it; a mean over what may be nothing is sum / jnp.maximum(count, 1).",
    "rem": "The remainder of a division by 0 is NaN: replace a divisor of 0.",
    "pow": _POWER,
    "integer_pow": _POWER,
    "asin": _DOMAIN,
    "acos": _DOMAIN,
    "atanh": _DOMAIN,
    "erf_inv": _DOMAIN,
    "acosh": "acosh(x) needs x >= 1: clip the input.",
    "gather": "An index out of range reads NaN: compare the indices with the size of what they "
    "index, such as the number of rows of an embedding.",
    "cholesky": _MATRIX,
    "lu": _MATRIX,
    "eigh": _MATRIX,
    "svd": _MATRIX,
    "qr": _MATRIX,
    "triangular_solve": _MATRIX,
}
_SUMS = ("dot_general", "conv_general_dilated", "reduce_sum", "cumsum")
_EXPONENTIALS = ("exp", "exp2", "expm1", "sinh", "cosh")
_SLOPES = ("div", "log", "pow", "integer_pow", "rsqrt", "sqrt", "mul")


def remedy(origin: Origin, phase: str) -> str:
    """A sentence or two on the likely cause and fix of what happened at ``origin``."""
    name, kind = origin.operation, "NaN" if origin.mark.nan else "infinite"
    if name == "input":
        if origin.path.startswith("params"):
            return "A parameter is broken already: the step that wrote it is the one to look at."
        return "Clean the data first: drop or fill what is missing, and scale what is large."
    if name == "loss_fn":
        return (
            "It is seen in the compiled program only, not when each operation runs by itself: "
            "values are close to the end of what their dtype can hold, or the program has "
            "effects; compute in float32."
        )
    if origin.mark.nan and any(not mark.nan for x in origin.inputs for mark in marks(x)):
        return (
            "Infinity minus infinity, or times 0, is NaN. If a mask writes -inf, a whole row is "
            "masked: write jnp.finfo(x.dtype).min instead, or leave such rows out of the loss."
        )
    if origin.constant:
        return f"The {kind} value stands in the program itself, as a mask or a default does."
    if phase == "backward" and name in _SLOPES and _zero(origin):
        return _SLOPE
    return _BY_OPERATION.get(name) or _overflow(origin)


def _zero(origin: Origin) -> bool:
    return any((np.asarray(x) == 0).any() for x in origin.inputs)


def _overflow(origin: Origin) -> str:
    if origin.mark.nan and origin.operation not in _SUMS:
        return "Its inputs are finite and its result is not: compare their ranges with its domain."
    dtype = origin.output.dtype
    most = float(jnp.finfo(dtype).max)
    if origin.operation in _EXPONENTIALS:
        limit = math.log2(most) if origin.operation == "exp2" else math.log(most)
        return (
            f"{origin.operation} of more than {limit:.3g} overflows {dtype}: subtract the greatest "
            "input first, as jax.nn.softmax and jax.nn.logsumexp do, or clip it."
        )
    wider = " or bfloat16, or scale the loss less" if dtype == jnp.float16 else ", or scale it down"
    return (
        f"{dtype} ends at {most:.6g}: compute this in float32{wider}."
        if dtype != jnp.float32
        else f"float32 ends at {most:.3g}: the values grow without bound; scale the inputs, lower "
        "the learning rate, or normalize the layer."
    )
