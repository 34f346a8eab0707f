"""Optimizers that divide by the size of past gradients, or look at their signs only."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxnet.core.errors import describe, is_array
from jaxnet.optim.average import averaging
from jaxnet.optim.checks import (
    LearningRate,
    check_above,
    check_least,
    check_preset,
    check_share,
)
from jaxnet.optim.rule import Patterns, Slots, decayed, leafwise, optimizer

if TYPE_CHECKING:
    import optax


def adagrad(
    learning_rate: LearningRate = 1e-2,
    *,
    lr_decay: float = 0.0,
    initial_accumulator: float | None = None,
    eps: float | None = None,
    weight_decay: float = 0.0,
    decay: Patterns = "**",
    preset: str = "torch",
) -> "optax.GradientTransformation":
    """Adagrad (Duchi et al., 2011): divides by the root of the sum of all squared gradients.

    ``s <- s + g^2``, and step t is along ``g / (1 + (t - 1) * lr_decay) / (sqrt(s) + eps)``.
    The sum starts at 0 and ``eps`` is 1e-10; ``preset="keras"`` starts at 0.1, and adds 1e-7 under
    the root. Raises ValueError for numbers out of range and for an unknown preset.

    >>> tx = adagrad(0.1)
    >>> grads = {"w": jnp.array([4.0])}
    >>> tx.update(grads, tx.init(grads), grads)[0]["w"].round(4)
    Array([-0.1], dtype=float32)
    """
    presets = {"torch": (0.0, 1e-10), "keras": (0.1, 1e-7)}
    check_preset(preset, presets)
    first = presets[preset][0] if initial_accumulator is None else initial_accumulator
    small = presets[preset][1] if eps is None else eps
    check_least(lr_decay, "lr_decay")
    check_least(first, "initial_accumulator")
    check_least(small, "eps")

    def rule(
        grad: jax.Array, param: jax.Array, step: jax.Array, total: jax.Array
    ) -> tuple[jax.Array, Slots]:
        total = total + jnp.square(grad)
        size = jnp.sqrt(total) + small if preset == "torch" else jnp.sqrt(total + small)
        return grad / (size * (1 + (step - 1) * lr_decay)), {"total": total}

    total = {"total": lambda param: jnp.full_like(param, first)}
    return optimizer(learning_rate, leafwise(total, rule), weight_decay=weight_decay, decay=decay)


def adadelta(
    learning_rate: LearningRate = 1.0,
    *,
    rho: float = 0.9,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    decay: Patterns = "**",
) -> "optax.GradientTransformation":
    """Adadelta (arXiv:1212.5701): steps as large as past steps were, for gradients of that size.

    ``s <- rho * s + (1 - rho) * g^2``, the step ``d = sqrt(a + eps) / sqrt(s + eps) * g``, and
    ``a <- rho * a + (1 - rho) * d^2``. Raises ValueError for numbers out of range.

    >>> tx = adadelta()
    >>> grads = {"w": jnp.array([4.0])}
    >>> tx.update(grads, tx.init(grads), grads)[0]["w"].round(4)
    Array([-0.0032], dtype=float32)
    """
    import optax

    check_share(rho, "rho")
    check_least(eps, "eps")
    rule = optax.scale_by_adadelta(rho, eps)
    return optimizer(learning_rate, rule, weight_decay=weight_decay, decay=decay)


def rmsprop(
    learning_rate: LearningRate = 1e-2,
    *,
    alpha: float | None = None,
    eps: float | None = None,
    centered: bool = False,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    decay: Patterns = "**",
    preset: str = "torch",
) -> "optax.GradientTransformation":
    """RMSprop (Hinton, 2012): divides by the root of the mean of recent squared gradients.

    ``s <- alpha * s + (1 - alpha) * g^2`` and steps along ``g / (sqrt(s) + eps)``, with ``alpha``
    0.99 and ``eps`` 1e-8; ``preset="keras"`` has 0.9, and 1e-7 under the root. ``centered`` takes
    the square of the mean gradient from ``s``. ``momentum`` sums the steps:
    ``m <- momentum * m + step``. Raises ValueError for numbers out of range and an unknown preset.

    >>> tx = rmsprop(0.1)
    >>> grads = {"w": jnp.array([4.0])}
    >>> tx.update(grads, tx.init(grads), grads)[0]["w"].round(4)
    Array([-1.], dtype=float32)
    """
    import optax

    presets = {"torch": (0.99, 1e-8), "keras": (0.9, 1e-7)}
    check_preset(preset, presets)
    alpha = presets[preset][0] if alpha is None else alpha
    eps = presets[preset][1] if eps is None else eps
    check_share(alpha, "alpha")
    check_share(momentum, "momentum")
    check_least(eps, "eps")
    scale = optax.scale_by_stddev if centered else optax.scale_by_rms
    rules = [scale(alpha, eps, eps_in_sqrt=preset == "keras")]
    if is_array(momentum) or momentum:
        rules.append(optax.trace(momentum))
    return optimizer(learning_rate, *rules, weight_decay=weight_decay, decay=decay)


def rprop(
    learning_rate: float = 1e-2,
    *,
    etas: tuple[float, float] = (0.5, 1.2),
    step_sizes: tuple[float, float] = (1e-6, 50.0),
) -> "optax.GradientTransformation":
    """Rprop (Riedmiller and Braun, 1993): each weight's own step, by the gradient's sign only.

    Steps begin at ``learning_rate``. Where the sign stays the step grows by ``etas[1]``; where it
    changes it shrinks by ``etas[0]``, and the weight rests once. ``step_sizes`` bound the steps.
    For full batches: in small ones signs are noise.
    Raises ValueError for numbers out of range, and for a schedule, which it has no place for.

    >>> tx = rprop(0.1)
    >>> grads = {"w": jnp.array([4.0, -0.1])}
    >>> tx.update(grads, tx.init(grads), grads)[0]["w"]
    Array([-0.1,  0.1], dtype=float32)
    """
    import optax

    if callable(learning_rate):
        raise ValueError(
            "rprop adapts each weight's step by itself, so learning_rate is the first step, a "
            "number, but a schedule was given; use one with sgd or adam"
        )
    check_above(learning_rate, "learning_rate")
    shrink, grow = etas
    if not 0 < shrink < 1 < grow:
        raise ValueError(f"etas must be (below 1, above 1), such as (0.5, 1.2), but is {etas}")
    check_least(step_sizes[0], "step_sizes[0]")
    check_least(step_sizes[1], "step_sizes[1]", least=step_sizes[0])

    def rule(
        grad: jax.Array, param: jax.Array, step: jax.Array, before: jax.Array, size: jax.Array
    ) -> tuple[jax.Array, Slots]:
        agree = jnp.sign(grad * before)
        factor = jnp.where(agree > 0, grow, jnp.where(agree < 0, shrink, 1)).astype(size.dtype)
        size = jnp.clip(size * factor, *step_sizes)
        grad = jnp.where(agree < 0, 0, grad)
        return jnp.sign(grad) * size, {"before": grad, "size": size}

    slots = {"before": jnp.zeros_like, "size": lambda param: jnp.full_like(param, learning_rate)}
    return optax.chain(leafwise(slots, rule), optax.scale(-1.0))


def asgd(
    learning_rate: float = 1e-2,
    *,
    lambd: float = 1e-4,
    alpha: float = 0.75,
    t0: float = 1e6,
    weight_decay: float = 0.0,
    decay: Patterns = "**",
) -> "optax.GradientTransformation":
    """Averaged gradient descent (Polyak and Juditsky, 1992), as in PyTorch.

    ``w <- (1 - lambd * eta) * w - eta * g`` with ``eta = learning_rate`` at first and
    ``learning_rate / (1 + lambd * learning_rate * t)^alpha`` after step t. From step ``t0`` on the
    weights are averaged: ``averaged(opt_state, params)`` gives the mean.
    Raises ValueError for numbers out of range, and for a schedule, which it has no place for.

    >>> tx = asgd(0.1)
    >>> params, grads = {"w": jnp.array([0.0])}, {"w": jnp.array([4.0])}
    >>> tx.update(grads, tx.init(params), params)[0]["w"].round(4)
    Array([-0.4], dtype=float32)
    """
    import optax

    if callable(learning_rate):
        raise ValueError(
            "asgd has a schedule of its own, so learning_rate is a number, but a schedule was "
            "given; use lambd and alpha, or average the weights with averaging(tx)"
        )
    check_above(learning_rate, "learning_rate")
    check_least(lambd, "lambd")
    check_least(alpha, "alpha")
    check_least(t0, "t0")

    def rate(steps: jax.Array) -> jax.Array:
        return learning_rate / (1 + lambd * learning_rate * steps) ** alpha

    def rule(grad: jax.Array, param: jax.Array, step: jax.Array) -> tuple[jax.Array, Slots]:
        eta = jnp.where(step > 1, rate(step - 1), learning_rate).astype(param.dtype)
        return -lambd * eta * param - eta * grad, {}

    steps = optax.chain(*decayed(weight_decay, decay), leafwise({}, rule))
    return averaging(steps, start=t0 + 1)


def adafactor(
    learning_rate: LearningRate = 1e-2,
    *,
    beta2_decay: float = -0.8,
    eps: tuple[float | None, float] = (None, 1e-3),
    threshold: float = 1.0,
    weight_decay: float = 0.0,
    decay: Patterns = "**",
) -> "optax.GradientTransformation":
    """Adafactor (arXiv:1804.04235), as in PyTorch: the variance of a matrix as rows times columns.

    A kernel ``[..., I, O]`` remembers ``I + O`` numbers in place of ``I * O``. Step t has the rate
    ``max(eps[1], rms(w)) * min(learning_rate, 1 / sqrt(t))``; variances move by ``t^beta2_decay``;
    an update whose root mean square is above ``threshold`` (PyTorch's ``d``) is scaled down to it.
    ``eps[0]`` is by default the machine epsilon. ``weight_decay`` is apart from the gradients.
    Raises ValueError for numbers out of range.

    >>> tx = adafactor()
    >>> params = {"kernel": jnp.ones((3, 4))}
    >>> jax.tree.map(jnp.shape, tx.init(params)[0].slots)
    {'columns': {'kernel': (1, 4)}, 'rows': {'kernel': (3, 1)}}
    """
    if beta2_decay > 0:
        raise ValueError(
            f"beta2_decay is the power of the step by which variances move, 0 or negative, but is "
            f"{describe(beta2_decay)}"
        )
    check_least(0 if eps[0] is None else eps[0], "eps[0]")
    check_least(eps[1], "eps[1]")
    check_above(threshold, "threshold")

    def rows(param: jax.Array) -> jax.Array:
        return jnp.zeros_like(param[..., :1] if param.ndim > 1 else param)

    def columns(param: jax.Array) -> jax.Array:
        return jnp.zeros_like(param[..., :1, :]) if param.ndim > 1 else jnp.zeros((), param.dtype)

    def rule(
        grad: jax.Array, param: jax.Array, step: jax.Array, rows: jax.Array, columns: jax.Array
    ) -> tuple[jax.Array, Slots]:
        small = float(jnp.finfo(param.dtype).eps) if eps[0] is None else eps[0]
        squared, moved = jnp.square(grad), step**beta2_decay
        if grad.ndim > 1:
            rows += moved * (squared.mean(-1, keepdims=True) - rows)
            columns += moved * (squared.mean(-2, keepdims=True) - columns)
            var = rows * columns / jnp.maximum(rows.mean(-2, keepdims=True), small)
        else:
            var = rows = rows + moved * (squared - rows)
        update = grad * jax.lax.rsqrt(jnp.maximum(var, small * small))
        rate = learning_rate(step - 1) if callable(learning_rate) else learning_rate
        size = jnp.maximum(eps[1], _rms(param)) * jnp.minimum(1, 1 / (rate * jnp.sqrt(step)))
        update = size / jnp.maximum(1, _rms(update) / threshold) * update
        return update, {"rows": rows, "columns": columns}

    return optimizer(
        learning_rate,
        leafwise({"rows": rows, "columns": columns}, rule),
        weight_decay=weight_decay,
        decay=decay,
        decoupled=True,
    )


def _rms(x: Any) -> jax.Array:
    return jnp.sqrt(jnp.square(x).mean())
