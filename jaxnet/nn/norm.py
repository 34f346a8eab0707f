"""Normalisation of each example by itself, computed in at least float32."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_positive, check_size
from jaxnet.core.layer import Layer
from jaxnet.nn.initializers import ones
from jaxnet.nn.moments import (
    affine,
    check_features,
    mean,
    scale_and_bias,
    standardized,
    wide,
)


def layer_norm(
    x: jax.Array,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    axes: int = 1,
    eps: float = 1e-5,
) -> jax.Array:
    """``(x - mean) / sqrt(var + eps) * scale + bias`` over the last axes (arXiv:1607.06450).

    ``scale`` and ``bias`` have the shape of those ``axes`` many last axes.
    Raises ValueError if there are fewer axes or ``scale`` or ``bias`` has another shape.

    >>> layer_norm(jnp.array([1.0, 3.0])).round(3)
    Array([-1.,  1.], dtype=float32)
    """
    check_size(axes, "axes of layer_norm")
    check_features(x, axes, "layer_norm")
    check_positive(eps, "eps of layer_norm")
    y = wide(x, None, "layer_norm")
    y = standardized(y, _last(axes), eps)
    return affine(y, scale, bias, "layer_norm", axes=axes).astype(x.dtype)


def rms_norm(
    x: jax.Array, scale: jax.Array | None = None, *, axes: int = 1, eps: float | None = None
) -> jax.Array:
    """``x / sqrt(mean(x^2) + eps) * scale`` over the last axes (arXiv:1910.07467).

    ``scale`` has the shape of those ``axes`` many last axes. As in PyTorch ``eps`` is by default
    the machine epsilon of ``x.dtype``.
    Raises ValueError if there are fewer axes or ``scale`` has another shape.

    >>> rms_norm(jnp.array([3.0, -3.0])).round(3)
    Array([ 1., -1.], dtype=float32)
    """
    check_size(axes, "axes of rms_norm")
    check_features(x, axes, "rms_norm")
    eps = float(jnp.finfo(x.dtype).eps) if eps is None else eps
    check_positive(eps, "eps of rms_norm")
    y = wide(x, None, "rms_norm")
    y = y * jax.lax.rsqrt(mean(jnp.square(y), _last(axes)) + eps)
    return affine(y, scale, None, "rms_norm", axes=axes).astype(x.dtype)


def _last(axes: int) -> tuple[int, ...]:
    return tuple(range(-axes, 0))


class LayerNorm(Layer):
    """Normalises each example over its last ``axes`` axes: ``[..., D] -> [..., D]``.

    Leaves ``scale [D]`` and ``bias [D]``, each only if switched on; with ``axes=2`` they are
    ``[T, D]``, and so on.

    >>> layer = LayerNorm()
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 2)))
    >>> layer(params, jnp.array([[1.0, 3.0]])).round(3)
    Array([[-1.,  1.]], dtype=float32)
    """

    _: KW_ONLY
    axes: int = 1
    eps: float = 1e-5
    scale: bool = True
    bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.axes, "axes of LayerNorm")
        check_positive(self.eps, "eps of LayerNorm")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_features(x, self.axes, "LayerNorm")
        scale, bias = scale_and_bias(self, params, x.shape[-self.axes :])
        return layer_norm(x, scale, bias, axes=self.axes, eps=self.eps)


class RMSNorm(Layer):
    """Divides each example by its root mean square over the last axes: ``[..., D] -> [..., D]``.

    Leaf ``scale [D]``, only if switched on; with ``axes=2`` it is ``[T, D]``, and so on.
    ``eps=None`` is the machine epsilon of the input.

    >>> layer = RMSNorm()
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 2)))
    >>> layer(params, jnp.array([[3.0, -3.0]])).round(3)
    Array([[ 1., -1.]], dtype=float32)
    """

    _: KW_ONLY
    axes: int = 1
    eps: float | None = None
    scale: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.axes, "axes of RMSNorm")
        if self.eps is not None:
            check_positive(self.eps, "eps of RMSNorm")

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_features(x, self.axes, "RMSNorm")
        scale = param(params, "scale", x.shape[-self.axes :], ones) if self.scale else None
        return rms_norm(x, scale, axes=self.axes, eps=self.eps)
