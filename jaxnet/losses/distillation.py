"""Learning from another model's predictions rather than from labels."""

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_axes, check_float, check_positive
from jaxnet.losses.reduce import Reduction, entries, reduce


def distillation(
    student: jax.Array,
    teacher: jax.Array,
    *,
    temperature: float = 2.0,
    weights: jax.Array | None = None,
    mask: jax.Array | None = None,
    reduction: Reduction = "mean",
) -> jax.Array:
    """``T^2 KL(softmax(teacher / T) | softmax(student / T))``, the mean over examples.

    Both are logits ``[..., C]``. The factor keeps gradients as large as those of labels, whatever
    the temperature is (arXiv:1503.02531). The gradient goes to the teacher, too: it learns nothing
    where its logits are ``jax.lax.stop_gradient``'s. Weights, mask and reduction are those of
    ``reduce``, with a loss for each example ``[...]``. Raises ValueError for unequal shapes, empty
    inputs and a ``temperature`` that is not positive.

    >>> distillation(jnp.array([[0.0, 0.0]]), jnp.array([[2.0, 0.0]]), temperature=1.0).round(4)
    Array(0.3278, dtype=float32)
    """
    name = "distillation"
    check_positive(temperature, f"temperature of {name}")
    check_float(teacher, f"the teacher's logits of {name}")
    s, t = entries(student, teacher, mask, name)
    check_axes(s, 1, f"the student's logits of {name}")
    log_s, log_t = (jax.nn.log_softmax(z / temperature) for z in (s, t))
    # A class that is impossible to the teacher costs nothing.
    possible = log_t > -jnp.inf
    gap = jnp.where(possible, log_t, 0) - jnp.where(possible, log_s, 0)
    each = temperature**2 * (jnp.exp(log_t) * gap).sum(-1)
    return reduce(each, weights, mask, reduction, name)
