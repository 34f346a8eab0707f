"""Gradient descent, with momentum or without."""

from typing import TYPE_CHECKING

import jax.numpy as jnp

from jaxnet.core.errors import is_array
from jaxnet.optim.checks import LearningRate, check_share
from jaxnet.optim.rule import Patterns, optimizer

if TYPE_CHECKING:
    import optax


def gradient_descent(learning_rate: LearningRate) -> "optax.GradientTransformation":
    """``w <- w - learning_rate * gradient``, without any memory.

    Raises ValueError unless the learning rate is positive.

    >>> tx = gradient_descent(0.5)
    >>> tx.update({"w": jnp.ones(1)}, tx.init({"w": jnp.ones(1)}))[0]
    {'w': Array([-0.5], dtype=float32)}
    """
    return sgd(learning_rate)


def sgd(
    learning_rate: LearningRate,
    *,
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    decay: Patterns = "**",
) -> "optax.GradientTransformation":
    """Gradient descent with momentum, as in PyTorch.

    ``m <- momentum * m + (1 - dampening) * g``, but ``m = g`` in the first step, and
    ``w <- w - learning_rate * m``; Nesterov's form steps along ``g + momentum * m`` instead.
    (Keras scales g by the learning rate before it enters m, which is the same for a constant rate,
    and not along a schedule.) ``weight_decay * w`` is added to the gradients of the leaves whose
    paths match ``decay``.
    Raises ValueError for a learning rate that is not positive, a momentum or dampening outside
    [0, 1), Nesterov's form without momentum or with dampening, and dampening without momentum.

    >>> tx = sgd(1.0, momentum=0.5)
    >>> grads = {"w": jnp.ones(1)}
    >>> _, state = tx.update(grads, tx.init(grads))
    >>> tx.update(grads, state)[0]
    {'w': Array([-1.5], dtype=float32)}
    """
    import optax

    check_share(momentum, "momentum")
    check_share(dampening, "dampening")
    none = not is_array(momentum) and momentum == 0
    if nesterov and none:
        raise ValueError(
            "nesterov=True changes how momentum is applied, but momentum is 0; "
            "give one, such as momentum=0.9"
        )
    if dampening and (none or nesterov):
        raise ValueError(
            f"dampening={dampening} weakens what enters the momentum, which Nesterov's form and "
            "momentum=0 do not have; leave it out"
        )
    rules = []
    if dampening:
        rules.append(
            optax.scale_by_schedule(lambda step: jnp.where(jnp.asarray(step) > 0, 1 - dampening, 1))
        )
    if not none:
        rules.append(optax.trace(momentum, nesterov))
    return optimizer(learning_rate, *rules, weight_decay=weight_decay, decay=decay)
