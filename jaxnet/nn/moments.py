"""Means and variances over axes, masked or not: what all normalisations have in common.

Two passes, one for the mean and one for the deviations from it, cost the time of reading a large
array twice. One pass suffices for deviations from any number ``near`` the mean: their own mean is
the ``rest``, and their mean square less ``rest^2`` is the variance. Here that is the mean of a part
of the values. If the part is a share f of them, then ``rest^2 <= (1 / f - 1) * var``, whatever they
are, so that at most a factor ``1 / f`` of the precision can get lost.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_axes, check_real
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, is_array
from jaxnet.nn.initializers import ones, zeros


def check_features(x: jax.Array, least: int, what: str) -> None:
    """Raise unless ``x`` is real and has at least ``least`` axes."""
    check_real(x, f"the input of {what}")
    check_axes(x, least, f"the input of {what}")


def wide(x: jax.Array, mask: jax.Array | None, what: str) -> jax.Array:
    """``x`` in the dtype to compute in, with zeros where ``mask [...]`` hides ``x [..., C]``."""
    x = x.astype(at_least_float32(x))
    if mask is None:
        return x
    if not is_array(mask) or mask.dtype != bool or mask.shape != x.shape[:-1]:
        raise ValueError(
            f"the mask of {what} must be bool{list(x.shape[:-1])}, one entry for all features of "
            f"a place (True counts), but is {describe(mask)}; compare to get one: mask > 0"
        )
    return shown(x, mask)


def shown(x: jax.Array, mask: jax.Array | None) -> jax.Array:
    """``x [..., C]`` with zeros where ``mask [...]`` hides it."""
    if mask is None:
        return x
    return jnp.where(jnp.broadcast_to(mask[..., None], x.shape), x, jnp.zeros_like(x))


def mean(
    x: jax.Array, axes: tuple[int, ...], mask: jax.Array | None = None, axis_name: Any = None
) -> jax.Array:
    """The mean over ``axes`` and over devices, kept as axes of 1; of nothing it is 0."""
    if mask is None:
        x = x.mean(axes, keepdims=True)
        return x if axis_name is None else jax.lax.pmean(x, axis_name)
    mask = mask.reshape(*mask.shape, *(1,) * (x.ndim - mask.ndim))
    mask = jnp.broadcast_to(mask, x.shape)
    total = jnp.where(mask, x, 0).sum(axes, keepdims=True)
    count = mask.sum(axes, keepdims=True, dtype=x.dtype)
    if axis_name is not None:
        total, count = jax.lax.psum((total, count), axis_name)
    return total / jnp.maximum(count, 1)


def _moments(
    x: jax.Array, axes: tuple[int, ...], mask: jax.Array | None = None, axis_name: Any = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Most of the mean over ``axes`` as a constant, the rest of it, and the variance.

    What the mask hides must be finite.
    """
    part = x
    if mask is None and axes:
        part = jax.lax.slice_in_dim(x, 0, -(-x.shape[axes[-1]] // 16), axis=axes[-1])
    near = mean(part, axes, mask, axis_name)
    left = x - near
    rest = mean(left, axes, mask, axis_name)
    square = mean(left * left, axes, mask, axis_name)
    return near, rest, jnp.maximum(square - rest * rest, 0)


moments = jax.custom_jvp(_moments, nondiff_argnums=(1, 3))


@moments.defjvp
def _(axes: tuple[int, ...], axis_name: Any, primals: Any, tangents: Any) -> tuple[Any, Any]:
    (x, mask), (dx, _) = primals, tangents
    near, rest, var = moments(x, axes, mask, axis_name)
    drest = mean(dx, axes, mask, axis_name)
    dsquare = mean((x - near) * dx, axes, mask, axis_name)
    return (near, rest, var), (jnp.zeros_like(near), drest, 2 * (dsquare - rest * drest))


def standardized(
    x: jax.Array, axes: tuple[int, ...], eps: float, mask: jax.Array | None = None
) -> jax.Array:
    """``(x - mean) / sqrt(var + eps)`` over ``axes``."""
    near, rest, var = moments(x, axes, mask)
    factor = jax.lax.rsqrt(var + eps)
    # One factor and one term a mean: their gradients are two sums.
    return (x - near) * factor - rest * factor


def scale_and_bias(
    layer: Any, params: Any, shape: tuple[int, ...]
) -> tuple[jax.Array | None, jax.Array | None]:
    """The leaves ``scale`` and ``bias`` of a layer, each if its option says so."""
    return (
        param(params, "scale", shape, ones) if layer.scale else None,
        param(params, "bias", shape, zeros) if layer.bias else None,
    )


def affine(
    y: jax.Array, scale: jax.Array | None, bias: jax.Array | None, what: str, *, axes: int = 1
) -> jax.Array:
    """``y * scale + bias``, both of the shape of the last ``axes`` of ``y``."""
    for name, leaf in (("scale", scale), ("bias", bias)):
        if leaf is not None:
            check_fits(leaf, y, f"{name} of {what}", axes=axes)
    if scale is not None:
        y = y * jnp.broadcast_to(scale.astype(y.dtype), y.shape)
    if bias is not None:
        y = y + jnp.broadcast_to(bias.astype(y.dtype), y.shape)
    return y


def check_fits(leaf: jax.Array, x: jax.Array, what: str, *, axes: int = 1) -> None:
    """Raise unless ``leaf`` has one entry for each of the last ``axes`` of ``x``."""
    if not is_array(leaf) or leaf.shape != x.shape[x.ndim - axes :]:
        raise ValueError(
            f"the {what} must have the shape {x.shape[x.ndim - axes :]} of the input's last "
            f"{'axis' if axes == 1 else f'{axes} axes'}, but is {describe(leaf)}; "
            "make it for this input"
        )
