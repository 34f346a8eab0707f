"""Normalisation: moments are two-pass and at least float32, the result has the input's dtype."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core import stats
from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_axes, check_float, check_key
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.layer import Layer
from jaxnet.nn.initializers import ones, zeros


def layer_norm(
    x: jax.Array,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    eps: float = 1e-5,
) -> jax.Array:
    """``(x - mean) / sqrt(var + eps) * scale + bias`` over the last axis (arXiv:1607.06450).

    >>> layer_norm(jnp.array([1.0, 3.0])).round(3)
    Array([-1.,  1.], dtype=float32)
    """
    y = _wide(x)
    y = y - y.mean(-1, keepdims=True)
    y = y * jax.lax.rsqrt(jnp.square(y).mean(-1, keepdims=True) + eps)
    return _affine(y, scale, bias).astype(x.dtype)


def rms_norm(
    x: jax.Array, scale: jax.Array | None = None, *, eps: float | None = None
) -> jax.Array:
    """``x / sqrt(mean(x^2) + eps) * scale`` over the last axis (arXiv:1910.07467).

    As in PyTorch ``eps`` is by default the machine epsilon of ``x.dtype``.

    >>> rms_norm(jnp.array([3.0, -3.0])).round(3)
    Array([ 1., -1.], dtype=float32)
    """
    y = _wide(x)
    eps = float(jnp.finfo(x.dtype).eps) if eps is None else eps
    y = y * jax.lax.rsqrt(jnp.square(y).mean(-1, keepdims=True) + eps)
    return _affine(y, scale, None).astype(x.dtype)


def batch_norm(
    x: jax.Array,
    mean: jax.Array,
    var: jax.Array,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    eps: float = 1e-5,
) -> jax.Array:
    """``(x - mean) / sqrt(var + eps) * scale + bias`` with one statistic a feature.

    >>> batch_norm(jnp.array([[1.0], [3.0]]), jnp.array([2.0]), jnp.array([1.0])).round(3)
    Array([[-1.],
           [ 1.]], dtype=float32)
    """
    y = _wide(x)
    y = (y - jnp.broadcast_to(mean, x.shape)) * jnp.broadcast_to(jax.lax.rsqrt(var + eps), x.shape)
    return _affine(y, scale, bias).astype(x.dtype)


def _wide(x: jax.Array) -> jax.Array:
    return x.astype(at_least_float32(x))


def _affine(y: jax.Array, scale: jax.Array | None, bias: jax.Array | None) -> jax.Array:
    if scale is not None:
        y = y * jnp.broadcast_to(scale.astype(y.dtype), y.shape)
    if bias is not None:
        y = y + jnp.broadcast_to(bias.astype(y.dtype), y.shape)
    return y


class LayerNorm(Layer):
    """Normalises each example over its last axis: ``[..., D] -> [..., D]``.

    Leaves ``scale [D]`` and ``bias [D]``, each only if switched on.

    >>> layer = LayerNorm()
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 2)))
    >>> layer(params, jnp.array([[1.0, 3.0]])).round(3)
    Array([[-1.,  1.]], dtype=float32)
    """

    _: KW_ONLY
    eps: float = 1e-5
    scale: bool = True
    bias: bool = True

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        _check_input(x, "LayerNorm")
        shape = (x.shape[-1],)
        scale = param(params, "scale", shape, ones) if self.scale else None
        bias = param(params, "bias", shape, zeros) if self.bias else None
        return layer_norm(x, scale, bias, eps=self.eps)


class RMSNorm(Layer):
    """Divides each example by its root mean square over the last axis: ``[..., D] -> [..., D]``.

    Leaf ``scale [D]``, only if switched on. ``eps=None`` is the machine epsilon of the input.

    >>> layer = RMSNorm()
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 2)))
    >>> layer(params, jnp.array([[3.0, -3.0]])).round(3)
    Array([[ 1., -1.]], dtype=float32)
    """

    _: KW_ONLY
    eps: float | None = None
    scale: bool = True

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        _check_input(x, "RMSNorm")
        scale = param(params, "scale", (x.shape[-1],), ones) if self.scale else None
        return rms_norm(x, scale, eps=self.eps)


class BatchNorm(Layer):
    """Normalises each feature over all other axes: ``[..., D] -> [..., D]`` (arXiv:1502.03167).

    A training call (with a key) uses the batch's own mean and biased variance, and gives the
    running ``stats/mean [D]`` and ``stats/var [D]`` the gradient by which the train step moves
    them: ``new = (1 - momentum) * old + momentum * batch``, with the batch's unbiased variance.
    An inference call uses the running ones. Other leaves: ``scale [D]`` and ``bias [D]``.
    Forward mode needs the inference call, since a training call's rule is one for gradients.
    ``axis_name`` adds the devices of a ``shard_map`` to the batch; under ``jit`` none is needed.
    Raises ValueError for a training call with one value a feature, whose variance says nothing.

    >>> layer = BatchNorm()
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 1)))
    >>> layer(params, jnp.array([[1.0], [3.0]]), key=jax.random.key(1)).round(3)
    Array([[-1.],
           [ 1.]], dtype=float32)
    """

    _: KW_ONLY
    momentum: float = 0.1
    eps: float = 1e-5
    scale: bool = True
    bias: bool = True
    axis_name: str | tuple[str, ...] | None = None

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        _check_input(x, "BatchNorm")
        shape = (x.shape[-1],)
        scale = param(params, "scale", shape, ones) if self.scale else None
        bias = param(params, "bias", shape, zeros) if self.bias else None
        running = {
            "mean": param(params["stats"], "mean", shape, zeros),
            "var": param(params["stats"], "var", shape, ones),
        }
        if key is None:
            wide = {name: _wide(stat) for name, stat in running.items()}
            return batch_norm(x, wide["mean"], wide["var"], scale, bias, eps=self.eps)
        check_key(key)
        mean, var, count = self._moments(x)
        y = batch_norm(x, mean, var, scale, bias, eps=self.eps)
        batch = {"mean": mean, "var": var * (count / (count - 1))}
        batch = {name: value.astype(running[name].dtype) for name, value in batch.items()}
        return stats.learn(y, running, batch, self.momentum)

    def _moments(self, x: jax.Array) -> tuple[jax.Array, jax.Array, int]:
        def mean(x: jax.Array) -> jax.Array:
            mean = x.mean(range(x.ndim - 1))
            return mean if self.axis_name is None else jax.lax.pmean(mean, self.axis_name)

        devices = 1 if self.axis_name is None else jax.lax.axis_size(self.axis_name)
        count = devices * x.size // x.shape[-1]
        if count < 2:
            raise ValueError(
                f"BatchNorm in training needs more than one value a feature, but the input is "
                f"{x.dtype}{list(x.shape)}; use a larger batch (or drop a last batch of one)"
            )
        wide = _wide(x)
        centre = mean(wide)
        return centre, mean(jnp.square(wide - jnp.broadcast_to(centre, x.shape))), count


def _check_input(x: jax.Array, layer: str) -> None:
    check_float(x, f"the input of {layer}")
    check_axes(x, 1, f"the input of {layer}")
