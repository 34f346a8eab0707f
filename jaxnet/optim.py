"""Optimizers: optax's, with the meaning and defaults of PyTorch or Keras.

Each returns an ordinary ``optax.GradientTransformation``, so all of optax composes with it.
``learning_rate`` is a positive number, or an optax schedule from the step to one.
"""

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxnet.core import tree
from jaxnet.core.errors import brief, describe, is_array, near, seen

if TYPE_CHECKING:
    import optax

type LearningRate = float | jax.Array | optax.Schedule

_presets = {
    "torch": {"eps": 1e-8, "weight_decay": 1e-2},
    "keras": {"eps": 1e-7, "weight_decay": 4e-3},
}


def gradient_descent(learning_rate: LearningRate) -> "optax.GradientTransformation":
    """``w <- w - learning_rate * gradient``, without any memory.

    Raises ValueError unless the learning rate is positive.

    >>> tx = gradient_descent(0.5)
    >>> tx.update({"w": jnp.ones(1)}, tx.init({"w": jnp.ones(1)}))[0]
    {'w': Array([-0.5], dtype=float32)}
    """
    return sgd(learning_rate)


def sgd(
    learning_rate: LearningRate, *, momentum: float = 0.0, nesterov: bool = False
) -> "optax.GradientTransformation":
    """Gradient descent with momentum, as in PyTorch.

    ``m <- momentum * m + g`` and ``w <- w - learning_rate * m``; Nesterov's form steps along
    ``g + momentum * m`` instead. (Keras scales g by the learning rate before it enters m, which
    is the same for a constant rate, and not along a schedule.)
    Raises ValueError for a learning rate that is not positive, a momentum outside [0, 1), and
    Nesterov's form without momentum.

    >>> tx = sgd(1.0, momentum=0.5)
    >>> grads = {"w": jnp.ones(1)}
    >>> _, state = tx.update(grads, tx.init(grads))
    >>> tx.update(grads, state)[0]
    {'w': Array([-1.5], dtype=float32)}
    """
    import optax

    _check_rate(learning_rate)
    _check_share(momentum, "momentum")
    none = not is_array(momentum) and momentum == 0
    if nesterov and none:
        raise ValueError(
            "nesterov=True changes how momentum is applied, but momentum is 0; "
            "give one, such as momentum=0.9"
        )
    return optax.sgd(learning_rate, None if none else momentum, nesterov)


def adam(
    learning_rate: LearningRate,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float | None = None,
    preset: str = "torch",
) -> "optax.GradientTransformation":
    """Adam (arXiv:1412.6980): steps along ``mean / (sqrt(var) + eps)`` of recent gradients.

    Both moments decay by ``b1`` and ``b2`` and are corrected for starting at 0. ``preset="torch"``
    has ``eps`` 1e-8. ``preset="keras"`` has 1e-7, and adds it before the correction ("epsilon
    hat" in the paper), so step t has ``eps / sqrt(1 - b2^t)`` in effect: 32 times as much in the
    first step. After 50 steps the two are apart by 0.04 % of the way for gradients of about 1e-2,
    and by 3 % for 1e-4.
    Raises ValueError for numbers out of range and for an unknown preset.

    >>> tx = adam(1e-3)
    >>> grads = {"w": jnp.array([4.0, -0.1])}
    >>> tx.update(grads, tx.init(grads))[0]["w"].round(4)
    Array([-0.001,  0.001], dtype=float32)
    """
    import optax

    _check_rate(learning_rate)
    scale = _scale_by_adam(b1, b2, eps, preset)
    return optax.chain(scale, optax.scale_by_learning_rate(learning_rate))


def adamw(
    learning_rate: LearningRate,
    *,
    weight_decay: float | None = None,
    decay: str | tuple[str, ...] = "**",
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float | None = None,
    preset: str = "torch",
) -> "optax.GradientTransformation":
    """Adam that also decays: ``w <- w - learning_rate * weight_decay * w`` (arXiv:1711.05101).

    ``decay`` has the paths of the leaves that decay, by default all, biases and scales too, as in
    PyTorch and Keras; ``decay="**/kernel"`` is common. ``weight_decay`` is 1e-2 for
    ``preset="torch"`` and 4e-3 for ``preset="keras"``; the rest is as in ``adam``.
    Raises ValueError for numbers out of range, an unknown preset and, in ``init``, for a pattern
    that matches no leaf.

    >>> tx = adamw(1e-3, weight_decay=0.1, decay="**/kernel")
    >>> params = {"kernel": jnp.ones(1), "bias": jnp.ones(1)}
    >>> grads = {"kernel": jnp.zeros(1), "bias": jnp.zeros(1)}
    >>> updates, _ = tx.update(grads, tx.init(params), params)
    >>> updates["kernel"].round(5), updates["bias"]
    (Array([-1.e-04], dtype=float32), Array([-0.], dtype=float32))
    """
    import optax

    _check_rate(learning_rate)
    scale = _scale_by_adam(b1, b2, eps, preset)
    weight_decay = _presets[preset]["weight_decay"] if weight_decay is None else weight_decay
    if not is_array(weight_decay) and not 0 <= weight_decay < math.inf:
        raise ValueError(
            f"weight_decay must be 0 or positive, but is {describe(weight_decay)}: it is the share "
            "of a weight that a step with a learning rate of 1 would take away"
        )
    patterns = (decay,) if isinstance(decay, str) else decay
    return optax.chain(
        scale,
        optax.add_decayed_weights(weight_decay, lambda params: tree.select(params, *patterns)),
        optax.scale_by_learning_rate(learning_rate),
    )


def freeze(tx: "optax.GradientTransformation", *patterns: str) -> "optax.GradientTransformation":
    """``tx`` for all leaves but those whose path matches a pattern: these stay as they are.

    Frozen leaves take no memory in the optimizer's state, and ``tx`` does not see them, nor do
    their gradients enter a global norm in it. Statistics are no business of optimizers: the train
    step updates those of frozen layers, too, unless it calls them without a key.
    Raises ValueError without patterns and, in ``init``, for a pattern that matches no leaf.

    >>> tx = freeze(gradient_descent(1.0), "body/**")
    >>> grads = {"body": {"bias": jnp.ones(1)}, "head": {"bias": jnp.ones(1)}}
    >>> tx.update(grads, tx.init(grads))[0]
    {'body': {'bias': Array([0.], dtype=float32)}, 'head': {'bias': Array([-1.], dtype=float32)}}
    """
    import optax

    if not patterns:
        raise ValueError(
            "freeze needs the paths that it freezes, such as freeze(tx, 'backbone/**')"
        )

    def frozen(params: Any) -> Any:
        return tree.select(params, *patterns)

    def learnt(params: Any) -> Any:
        return jax.tree.map(lambda is_frozen: not is_frozen, frozen(params))

    return optax.chain(optax.masked(tx, learnt), optax.masked(optax.set_to_zero(), frozen))


def _scale_by_adam(
    b1: float, b2: float, eps: float | None, preset: str
) -> "optax.GradientTransformation":
    import optax

    if preset not in _presets:
        raise ValueError(f"no preset is called preset={preset!r}; {near(preset, _presets)}")
    _check_share(b1, "b1")
    _check_share(b2, "b2")
    eps = _presets[preset]["eps"] if eps is None else eps
    if not is_array(eps) and not 0 <= eps < math.inf:
        raise ValueError(f"eps must be 0 or positive, but is {describe(eps)}")
    if preset == "torch":
        return optax.scale_by_adam(b1, b2, eps)

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        correction = jnp.sqrt(1 - b2 ** (state.count + 1))
        return optax.scale_by_adam(b1, b2, eps / correction).update(updates, state, params)

    return optax.GradientTransformation(optax.scale_by_adam(b1, b2).init, update)


def _check_rate(rate: Any) -> None:
    if callable(rate) or seen(rate) is None:
        return
    number = rate.ndim == 0 if is_array(rate) else isinstance(rate, int | float)
    if not number or isinstance(rate, bool) or not 0 < rate < math.inf:
        raise ValueError(
            f"learning_rate must be a positive number or an optax schedule, but is {brief(rate)}; "
            "Adam often starts from 1e-3, plain gradient descent from 1e-2; "
            "to keep leaves as they are use freeze"
        )


def _check_share(value: Any, what: str) -> None:
    if not is_array(value) and not 0 <= value < 1:
        raise ValueError(
            f"{what} must be at least 0 and below 1, but is {describe(value)}; it is the share "
            "kept from the step before, often 0.9 or more"
        )
