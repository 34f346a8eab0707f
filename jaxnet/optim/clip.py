"""Gradients cut down before an optimizer sees them."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxnet.optim.checks import check_above

if TYPE_CHECKING:
    import optax


def clip(
    tx: "optax.GradientTransformation",
    *,
    value: float | None = None,
    norm: float | None = None,
    leaf_norm: float | None = None,
    ratio: float | None = None,
) -> "optax.GradientTransformation":
    """``tx`` on gradients that are not too large; give one of the bounds.

    ``value`` bounds each entry, ``norm`` the norm of all gradients together (all are scaled
    alike), ``leaf_norm`` the norm of each leaf by itself, and ``ratio`` each feature's gradient in
    relation to its weights, vectors as a whole (arXiv:2102.06171).
    Raises ValueError unless one bound is given, and for one that is not positive.

    >>> from jaxnet.optim import gradient_descent
    >>> tx = clip(gradient_descent(1.0), norm=1.0)
    >>> grads = {"w": jnp.array([3.0, 4.0])}
    >>> tx.update(grads, tx.init(grads))[0]["w"]
    Array([-0.6, -0.8], dtype=float32)
    """
    import optax

    makers = {
        "value": optax.clip,
        "norm": optax.clip_by_global_norm,
        "leaf_norm": _by_leaf,
        "ratio": optax.adaptive_grad_clip,
    }
    bounds = {"value": value, "norm": norm, "leaf_norm": leaf_norm, "ratio": ratio}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    if len(given) != 1:
        raise ValueError(
            f"clip takes one of {', '.join(bounds)}, but was given {', '.join(given) or 'none'}; "
            "norm=1.0 is common, and clips can stand around each other"
        )
    ((name, bound),) = given.items()
    check_above(bound, f"{name} of clip")
    return optax.chain(makers[name](bound), tx)


def _by_leaf(bound: float) -> "optax.GradientTransformation":
    import optax

    def shorten(grad: jax.Array) -> jax.Array:
        norm = jnp.sqrt(jnp.square(grad).sum())
        return grad * (bound / jnp.maximum(norm, bound)).astype(grad.dtype)

    def update(updates: Any, params: Any = None) -> Any:
        return jax.tree.map(shorten, updates)

    return optax.stateless(update)
