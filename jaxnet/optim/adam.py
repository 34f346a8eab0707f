"""Adam and its relatives: steps along the mean of recent gradients over their size."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxnet.optim.checks import LearningRate, check_least, check_preset, check_share
from jaxnet.optim.rule import Patterns, Slots, leafwise, optimizer

if TYPE_CHECKING:
    import optax

_presets = {
    "torch": {"eps": 1e-8, "weight_decay": 1e-2},
    "keras": {"eps": 1e-7, "weight_decay": 4e-3},
}
_MOMENTS = {"mean": jnp.zeros_like, "var": jnp.zeros_like}


def adam(
    learning_rate: LearningRate,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float | None = None,
    amsgrad: bool = False,
    weight_decay: float = 0.0,
    decay: Patterns = "**",
    preset: str = "torch",
) -> "optax.GradientTransformation":
    """Adam (arXiv:1412.6980): steps along ``mean / (sqrt(var) + eps)`` of recent gradients.

    Both moments decay by ``b1`` and ``b2`` and are corrected for starting at 0. ``amsgrad`` divides
    by the largest ``var`` so far. ``weight_decay * w`` is added to the gradients of the leaves
    whose paths match ``decay``; for a decay apart from them see ``adamw``. ``preset="torch"``
    has ``eps`` 1e-8. ``preset="keras"`` has 1e-7, and adds it before the correction ("epsilon
    hat" in the paper), so step t has ``eps / sqrt(1 - b2^t)`` in effect: 32 times as much in the
    first step. After 50 steps the two are apart by 0.04 % of the way for gradients of about 1e-2,
    and by 3 % for 1e-4.
    Raises ValueError for numbers out of range and for an unknown preset.

    >>> tx = adam(1e-3)
    >>> grads = {"w": jnp.array([4.0, -0.1])}
    >>> tx.update(grads, tx.init(grads), grads)[0]["w"].round(4)
    Array([-0.001,  0.001], dtype=float32)
    """
    rule = _scale_by_adam(b1, b2, eps, preset, amsgrad)
    return optimizer(learning_rate, rule, weight_decay=weight_decay, decay=decay)


def adamw(
    learning_rate: LearningRate,
    *,
    weight_decay: float | None = None,
    decay: Patterns = "**",
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float | None = None,
    amsgrad: bool = False,
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
    rule = _scale_by_adam(b1, b2, eps, preset, amsgrad)
    amount = _presets[preset]["weight_decay"] if weight_decay is None else weight_decay
    return optimizer(learning_rate, rule, weight_decay=amount, decay=decay, decoupled=True)


def adamax(
    learning_rate: LearningRate = 2e-3,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decay: Patterns = "**",
) -> "optax.GradientTransformation":
    """Adam with the largest recent gradient in place of their size (arXiv:1412.6980, section 7).

    ``u <- max(b2 * u, |g| + eps)`` and ``w <- w - learning_rate / (1 - b1^t) * mean / u``.
    Raises ValueError for numbers out of range.

    >>> tx = adamax(0.1)
    >>> grads = {"w": jnp.array([4.0, -0.1])}
    >>> tx.update(grads, tx.init(grads))[0]["w"].round(4)
    Array([-0.1,  0.1], dtype=float32)
    """
    import optax

    _check(b1, b2, eps)
    rule = optax.scale_by_adamax(b1, b2, eps)
    return optimizer(learning_rate, rule, weight_decay=weight_decay, decay=decay)


def nadam(
    learning_rate: LearningRate = 2e-3,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    momentum_decay: float = 4e-3,
    weight_decay: float = 0.0,
    decay: Patterns = "**",
    decoupled: bool = False,
) -> "optax.GradientTransformation":
    """Adam with Nesterov's momentum, whose share rises (Dozat, 2016), as in PyTorch.

    With ``mu_t = b1 * (1 - 0.96^(t * momentum_decay) / 2)`` and their product ``P_t`` it steps
    along ``((1 - mu_t) / (1 - P_t) * g + mu_{t+1} / (1 - P_{t+1}) * mean) / (sqrt(var) + eps)``.
    ``decoupled`` decays as ``adamw`` does. Raises ValueError for numbers out of range.

    >>> tx = nadam(0.1)
    >>> grads = {"w": jnp.array([4.0])}
    >>> tx.update(grads, tx.init(grads), grads)[0]["w"].shape
    (1,)
    """
    _check(b1, b2, eps)
    check_least(momentum_decay, "momentum_decay")

    def share(step: jax.Array) -> jax.Array:
        return b1 * (1 - 0.5 * 0.96 ** (step * momentum_decay))

    def rule(
        grad: jax.Array, param: jax.Array, step: jax.Array, mean: Any, var: Any, product: Any
    ) -> tuple[jax.Array, Slots]:
        mean, var = _moments(grad, mean, var, b1, b2)
        product = product * share(step)
        ahead = share(step + 1)
        along = (1 - share(step)) / (1 - product) * grad + ahead / (1 - product * ahead) * mean
        return (
            along / (jnp.sqrt(var / (1 - b2**step)) + eps),
            {"mean": mean, "var": var, "product": product},
        )

    return optimizer(
        learning_rate,
        leafwise({**_MOMENTS, "product": lambda param: jnp.ones((), param.dtype)}, rule),
        weight_decay=weight_decay,
        decay=decay,
        decoupled=decoupled,
    )


def radam(
    learning_rate: LearningRate = 1e-3,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decay: Patterns = "**",
    decoupled: bool = False,
) -> "optax.GradientTransformation":
    """Adam that does without the variance until enough is known of it (arXiv:1908.03265).

    With ``r = 2 / (1 - b2) - 1`` and ``r_t = r - 2 t b2^t / (1 - b2^t)`` the step is along the
    corrected mean while ``r_t <= 5``, and after that also times
    ``sqrt((r_t - 4) (r_t - 2) r / ((r - 4) (r - 2) r_t)) * sqrt(1 - b2^t) / (sqrt(var) + eps)``.
    ``decoupled`` decays as ``adamw`` does. Raises ValueError for numbers out of range.

    >>> tx = radam(0.1)
    >>> grads = {"w": jnp.array([4.0])}
    >>> tx.update(grads, tx.init(grads), grads)[0]["w"].round(4)
    Array([-0.4], dtype=float32)
    """
    _check(b1, b2, eps)
    limit = 2 / (1 - b2) - 1

    def rule(
        grad: jax.Array, param: jax.Array, step: jax.Array, mean: Any, var: Any
    ) -> tuple[jax.Array, Slots]:
        mean, var = _moments(grad, mean, var, b1, b2)
        known = 1 - b2**step
        length = limit - 2 * step * b2**step / known
        enough = length > 5
        # Where too little is known the root would be of a negative number.
        safe = jnp.where(enough, length, limit)
        ratio = (safe - 4) * (safe - 2) * limit / ((limit - 4) * (limit - 2) * safe)
        scale = jnp.sqrt(ratio * known) / (jnp.sqrt(var) + eps)
        along = mean / (1 - b1**step)
        return jnp.where(enough, along * scale, along), {"mean": mean, "var": var}

    return optimizer(
        learning_rate,
        leafwise(_MOMENTS, rule),
        weight_decay=weight_decay,
        decay=decay,
        decoupled=decoupled,
    )


def sparse_adam(
    learning_rate: LearningRate = 1e-3, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8
) -> "optax.GradientTransformation":
    """Adam for embeddings, as PyTorch's SparseAdam: only rows that were looked up move.

    A row, all entries along the last axis, whose gradient is zero keeps its value and both its
    moments. The correction for starting at 0 counts all steps, and ``eps`` is added before it.
    Raises ValueError for numbers out of range.

    >>> tx = sparse_adam(0.1)
    >>> grads = {"kernel": jnp.array([[1.0], [0.0]])}
    >>> tx.update(grads, tx.init(grads), grads)[0]["kernel"].round(4)
    Array([[-0.1],
           [-0. ]], dtype=float32)
    """
    _check(b1, b2, eps)

    def rule(
        grad: jax.Array, param: jax.Array, step: jax.Array, mean: Any, var: Any
    ) -> tuple[jax.Array, Slots]:
        touched = (grad != 0).any(-1, keepdims=True) if grad.ndim else grad != 0
        touched = jnp.broadcast_to(touched, grad.shape)
        new_mean, new_var = _moments(grad, mean, var, b1, b2)
        size = jnp.sqrt(1 - b2**step) / (1 - b1**step)
        along = jnp.where(touched, size * new_mean / (jnp.sqrt(new_var) + eps), 0)
        return along, {
            "mean": jnp.where(touched, new_mean, mean),
            "var": jnp.where(touched, new_var, var),
        }

    return optimizer(learning_rate, leafwise(_MOMENTS, rule))


def _scale_by_adam(
    b1: float, b2: float, eps: float | None, preset: str, amsgrad: bool
) -> "optax.GradientTransformation":
    import optax

    check_preset(preset, _presets)
    eps = _presets[preset]["eps"] if eps is None else eps
    _check(b1, b2, eps)
    if amsgrad:
        return _scale_by_amsgrad(b1, b2, eps, preset)
    if preset == "torch":
        return optax.scale_by_adam(b1, b2, eps)

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        correction = jnp.sqrt(1 - b2 ** (state.count + 1))
        return optax.scale_by_adam(b1, b2, eps / correction).update(updates, state, params)

    return optax.GradientTransformation(optax.scale_by_adam(b1, b2).init, update)


def _scale_by_amsgrad(
    b1: float, b2: float, eps: float, preset: str
) -> "optax.GradientTransformation":
    """With the largest of the variances before their correction; optax takes those after it."""

    def rule(
        grad: jax.Array, param: jax.Array, step: jax.Array, mean: Any, var: Any, largest: Any
    ) -> tuple[jax.Array, Slots]:
        mean, var = _moments(grad, mean, var, b1, b2)
        largest = jnp.maximum(largest, var)
        root = jnp.sqrt(1 - b2**step)
        small = eps * root if preset == "torch" else eps
        along = mean / (1 - b1**step) * root / (jnp.sqrt(largest) + small)
        return along, {"mean": mean, "var": var, "largest": largest}

    return leafwise({**_MOMENTS, "largest": jnp.zeros_like}, rule)


def _moments(
    grad: jax.Array, mean: jax.Array, var: jax.Array, b1: float, b2: float
) -> tuple[jax.Array, jax.Array]:
    return b1 * mean + (1 - b1) * grad, b2 * var + (1 - b2) * jnp.square(grad)


def _check(b1: Any, b2: Any, eps: Any) -> None:
    check_share(b1, "b1")
    check_share(b2, "b2")
    check_least(eps, "eps")
