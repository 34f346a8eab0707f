"""What a model is asked to do, told from its outputs and the targets, and how well it does it.

The loss is the user's own and may be anything, so skill is judged from outputs and targets: 0 is
an answer that ignores the inputs, 1 is perfect.
"""

import dataclasses
import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.errors import is_array

type Kind = Literal["classes", "distributions", "binary", "regression", "other"]


@dataclasses.dataclass(frozen=True)
class Task:
    """The kind of a task, and the best that one answer to everything can do.

    That is the share of the most frequent class, or the variance of the targets.
    """

    kind: Kind
    classes: int = 0
    majority: float = 0.0
    variance: float = 0.0

    @property
    def chance(self) -> float:
        """The cross-entropy of an answer that knows nothing; NaN for other tasks.

        >>> Task("classes", 10).chance
        2.3025...
        """
        return math.log(self.classes) if self.classes else math.nan

    def skill(self, found: dict[str, float]) -> float:
        """From 0, as good as one constant answer, to 1, perfect; NaN where it cannot be told."""
        if "score" not in found:
            return math.nan
        if self.kind == "regression":
            return 1 - found["score"] / max(self.variance, 1e-30)
        return (found["score"] - self.majority) / max(1 - self.majority, 1e-9)


def task_of(outputs: Any, y: np.ndarray) -> Task:
    """The task that outputs (or their spec) and targets imply.

    >>> task_of(np.zeros((4, 3), np.float32), np.array([0, 1, 2, 2]))
    Task(kind='classes', classes=3, majority=0.5, variance=0.0)
    """
    if not is_array(outputs):
        return Task("other")
    # Without the axis of examples, of which outputs may have fewer.
    shape, own = tuple(outputs.shape[1:]), y.shape[1:]
    if np.issubdtype(y.dtype, np.integer) and own == shape[:-1] and shape[-1:] > (1,):
        _, counts = np.unique(y, return_counts=True)
        return Task("classes", shape[-1], float(counts.max() / y.size))
    if own not in (shape, shape[:-1] if shape[-1:] == (1,) else shape):
        return Task("other")
    if shape[-1:] > (1,) and np.allclose(y.sum(-1), 1) and y.min() >= 0:
        counts = np.bincount(y.reshape(-1, shape[-1]).argmax(-1))
        return Task("distributions", shape[-1], float(counts.max() / counts.sum()))
    if np.isin(y, (0, 1)).all():
        ones = float(np.mean(y))
        return Task("binary", 2, max(ones, 1 - ones))
    if np.issubdtype(y.dtype, np.floating):
        return Task("regression", variance=float(y.var(0, dtype=np.float64).mean()))
    return Task("other")


def measure(outputs: Any, y: jax.Array, kind: Kind, classes: int) -> dict[str, jax.Array]:
    """What one batch of outputs tells, as scalars that may be averaged over batches."""
    if not is_array(outputs) or not jnp.issubdtype(outputs.dtype, jnp.floating):
        return {}
    outputs = outputs.astype(jnp.float32)
    found = {
        "size": jnp.sqrt(jnp.square(outputs).mean()),
        "spread": outputs.std(0).mean(),
    }
    match kind:
        case "classes" | "distributions":
            if kind == "classes":
                y = jax.nn.one_hot(y, classes)
            right = outputs.argmax(-1) == y.argmax(-1)
            inside = (outputs >= 0).all(-1) & (jnp.abs(outputs.sum(-1) - 1) < 1e-3)
            found |= {
                "score": right.mean(),
                "simplex": inside.mean(),
                "as logits": -(y * jax.nn.log_softmax(outputs)).sum(-1).mean(),
                "as probabilities": -(y * _log(outputs)).sum(-1).mean(),
            }
        case "binary":
            outputs, y = outputs.reshape(y.shape), y.astype(jnp.float32)
            inside = (outputs >= 0) & (outputs <= 1)
            middle = jnp.where(inside.all(), 0.5, 0.0)
            found |= {
                "score": ((outputs > middle) == (y > 0.5)).mean(),
                "simplex": inside.mean(),
                "as logits": (jax.nn.softplus(outputs) - y * outputs).mean(),
                "as probabilities": -(y * _log(outputs) + (1 - y) * _log(1 - outputs)).mean(),
            }
        case "regression":
            y = y.astype(jnp.float32)
            found["score"] = jnp.square(outputs.reshape(y.shape) - y).mean()
    return found


def _log(p: jax.Array) -> jax.Array:
    return jnp.log(jnp.clip(p, 1e-7, 1.0))
