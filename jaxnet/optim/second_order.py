"""Optimizers that look at more than one entry at a time: Muon, L-BFGS."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_choice, check_size
from jaxnet.core.errors import describe
from jaxnet.optim.checks import LearningRate, check_rate, check_share
from jaxnet.optim.rule import Patterns, Slots, leafwise, optimizer

if TYPE_CHECKING:
    import optax

_QUINTIC = (3.4445, -4.7750, 2.0315)


def muon(
    learning_rate: LearningRate = 1e-3,
    *,
    momentum: float = 0.95,
    nesterov: bool = True,
    weight_decay: float = 0.1,
    decay: Patterns = "**",
    iterations: int = 5,
    coefficients: tuple[float, float, float] = _QUINTIC,
    adjust: str = "original",
    eps: float = 1e-7,
) -> "optax.GradientTransformation":
    """Muon (Jordan, 2024): steps along the momentum made orthogonal, for hidden layers' kernels.

    Newton-Schulz iterations push all singular values of each matrix ``[..., I, O]`` towards 1; axes
    before the last two, as of stacked blocks, are a batch of matrices. The step is scaled by
    ``sqrt(max(1, O / I))``, or with ``adjust="match_rms_adamw"`` by ``0.2 * sqrt(max(I, O))``, so
    that AdamW's learning rate fits. Decay is apart from the gradients. Other leaves want another
    optimizer: ``by_path({"blocks/**/kernel": muon(), "**": adamw(1e-3)})``.
    PyTorch computes the iterations in bfloat16, this in the dtype of the leaf.
    Raises ValueError for numbers out of range and, in ``init``, for leaves that are no matrices.

    >>> tx = muon(1.0, weight_decay=0.0)
    >>> params = {"kernel": jnp.eye(2)}
    >>> grads = {"kernel": jnp.array([[3.0, 0.0], [0.0, 2.0]])}
    >>> tx.update(grads, tx.init(params), params)[0]["kernel"].round(1)
    Array([[-1.1, -0. ],
           [-0. , -0.7]], dtype=float32)
    """
    check_share(momentum, "momentum")
    check_size(iterations, "iterations of muon")
    scales = {
        "original": lambda i, o: max(1, o / i) ** 0.5,
        "match_rms_adamw": lambda i, o: 0.2 * max(i, o) ** 0.5,
    }
    check_choice(adjust, scales, "adjust", "muon")

    def start(param: jax.Array) -> jax.Array:
        if param.ndim < 2:
            raise ValueError(
                f"muon moves matrices, [..., I, O], but was given the leaf {describe(param)}; give "
                "the others an optimizer of their own: by_path({'**/kernel': muon(), '**': adamw("
                "1e-3)})"
            )
        return jnp.zeros_like(param)

    def rule(
        grad: jax.Array, param: jax.Array, step: jax.Array, trace: jax.Array
    ) -> tuple[jax.Array, Slots]:
        trace = trace + (1 - momentum) * (grad - trace)
        along = grad + momentum * (trace - grad) if nesterov else trace
        scale = scales[adjust](*grad.shape[-2:])
        return scale * _orthogonal(along, coefficients, iterations, eps), {"trace": trace}

    return optimizer(
        learning_rate,
        leafwise({"trace": start}, rule),
        weight_decay=weight_decay,
        decay=decay,
        decoupled=True,
    )


def _orthogonal(
    x: jax.Array, coefficients: tuple[float, float, float], iterations: int, eps: float
) -> jax.Array:
    """``x`` with its singular values near 1, by odd polynomials of it."""
    a, b, c = coefficients
    wide = x.shape[-2] <= x.shape[-1]
    x = x if wide else x.mT
    norm = jnp.sqrt(jnp.square(x).sum((-2, -1), keepdims=True))
    x = x / jnp.broadcast_to(jnp.maximum(norm, eps), x.shape)
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x if wide else x.mT


def lbfgs(
    learning_rate: LearningRate = 1.0, *, history: int = 100
) -> "optax.GradientTransformation":
    """L-BFGS (Liu and Nocedal, 1989): Newton's step by the last ``history`` gradients.

    For full batches and smooth losses. As in PyTorch without a line search, and one iteration a
    step: a step is ``learning_rate`` times the quasi-Newton direction, and the first is the
    gradient, scaled by ``min(1, 1 / sum|g|)``. For a line search use ``optax.lbfgs``.
    Raises ValueError for numbers out of range.

    >>> tx = lbfgs()
    >>> grads = {"w": jnp.array([4.0])}
    >>> tx.update(grads, tx.init(grads), grads)[0]["w"]
    Array([-1.], dtype=float32)
    """
    import optax

    check_rate(learning_rate)
    check_size(history, "history of lbfgs")
    inner = optax.scale_by_lbfgs(history)

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        along, new = inner.update(updates, state, params)
        # optax scales the first step by the other norm.
        total = optax.tree.norm(updates, ord=1)
        first = jax.tree.map(lambda g: g * jnp.minimum(1, 1 / total).astype(g.dtype), updates)
        along = jax.tree.map(lambda a, b: jnp.where(state.count == 0, a, b), first, along)
        return along, new

    return optimizer(learning_rate, optax.GradientTransformation(inner.init, update))
