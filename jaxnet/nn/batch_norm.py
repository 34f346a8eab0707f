"""Normalisation of each feature over the batch, with running statistics for inference."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core import stats
from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_key, check_positive
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn.initializers import ones, zeros
from jaxnet.nn.moments import (
    affine,
    check_features,
    check_fits,
    moments,
    scale_and_bias,
    shown,
    wide,
)


def batch_norm(
    x: jax.Array,
    mean: jax.Array,
    var: jax.Array,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    eps: float = 1e-5,
    mask: jax.Array | None = None,
) -> jax.Array:
    """``(x - mean) / sqrt(var + eps) * scale + bias`` with one statistic a feature.

    ``x [..., D]`` and all others ``[D]``. Where ``mask [...]`` is False the result is 0.
    Raises ValueError if a shape does not fit.

    >>> batch_norm(jnp.array([[1.0], [3.0]]), jnp.array([2.0]), jnp.array([1.0])).round(3)
    Array([[-1.],
           [ 1.]], dtype=float32)
    """
    check_features(x, 1, "batch_norm")
    check_positive(eps, "eps of batch_norm")
    check_fits(mean, x, "mean of batch_norm")
    check_fits(var, x, "var of batch_norm")
    y = wide(x, mask, "batch_norm")
    mean, var = mean.astype(y.dtype), var.astype(y.dtype)
    y = (y - jnp.broadcast_to(mean, x.shape)) * jnp.broadcast_to(jax.lax.rsqrt(var + eps), x.shape)
    return shown(affine(y, scale, bias, "batch_norm"), mask).astype(x.dtype)


class BatchNorm(Layer):
    """Normalises each feature over all other axes: ``[..., D] -> [..., D]`` (arXiv:1502.03167).

    A training call (with a key) uses the batch's own mean and biased variance, and gives the
    running ``stats/mean [D]`` and ``stats/var [D]`` the gradient by which the train step moves
    them: ``new = (1 - momentum) * old + momentum * batch``, with the batch's unbiased variance, or
    with the biased one as in Keras and ONNX. ``momentum=None`` makes them the averages over all
    batches so far, which ``stats/count []`` counts. An inference call uses the running ones.
    With ``stats=False`` there are none, and every call uses its own batch's.
    Other leaves: ``scale [D]`` and ``bias [D]``, each only if switched on.

    Where ``mask [...]`` is False values count for nothing, and the result is 0.
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
    momentum: float | None = 0.1
    eps: float = 1e-5
    scale: bool = True
    bias: bool = True
    stats: bool = True
    unbiased: bool = True
    axis_name: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self.eps, "eps of BatchNorm")
        if self.momentum is not None:
            check_momentum(self.momentum, "BatchNorm")

    def __call__(
        self,
        params: Any,
        x: jax.Array,
        *,
        mask: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        check_features(x, 1, "BatchNorm")
        scale, bias = scale_and_bias(self, params, x.shape[-1:])
        old = running(params, x.shape[-1:], count=self.momentum is None) if self.stats else None
        if key is not None:
            check_key(key)
        elif old is not None:
            return batch_norm(x, old["mean"], old["var"], scale, bias, eps=self.eps, mask=mask)
        y = wide(x, mask, "BatchNorm")
        axes = tuple(range(x.ndim - 1))
        count = self._count(x, mask)
        near, rest, var = (m.reshape(-1) for m in moments(y, axes, mask, self.axis_name))
        # A factor and a term for each feature: their gradients are two sums over the batch.
        factor = jax.lax.rsqrt(var + self.eps)
        if scale is not None:
            factor = factor * scale.astype(y.dtype)
        term = -rest * factor
        if bias is not None:
            term = term + bias.astype(y.dtype)
        y = affine(y - jnp.broadcast_to(near, x.shape), factor, term, "BatchNorm")
        y = shown(y, mask).astype(x.dtype)
        if key is None or old is None:
            return y
        batch = {"mean": near + rest, "var": unbiased(var, count) if self.unbiased else var}
        return follow(y, old, batch, self.momentum, count)

    def _count(self, x: jax.Array, mask: jax.Array | None) -> int | jax.Array:
        """How many values a feature has on all devices."""
        devices = 1 if self.axis_name is None else jax.lax.axis_size(self.axis_name)
        count = devices * x.size // x.shape[-1]
        if count < 2:
            raise ValueError(
                f"BatchNorm in training needs more than one value a feature, but the input is "
                f"{describe(x)}; use a larger batch (or drop a last batch of one)"
            )
        if mask is None:
            return count
        seen = mask.sum(dtype=at_least_float32(x))
        return seen if self.axis_name is None else jax.lax.psum(seen, self.axis_name)


def check_momentum(momentum: float, what: str) -> None:
    """Raise unless ``momentum`` is the share of the new."""
    if not isinstance(momentum, int | float) or not 0 <= momentum <= 1:
        raise ValueError(
            f"momentum of {what} is the share of the new batch in the running statistics, from 0 "
            f"to 1, but is {describe(momentum)}; Keras's 0.99 is 0.01 here"
        )


def running(params: Any, shape: tuple[int, ...], *, count: bool) -> dict[str, jax.Array]:
    """The leaves with running statistics; with ``count`` also how many batches they have seen."""
    leaves = {
        "mean": param(params["stats"], "mean", shape, zeros),
        "var": param(params["stats"], "var", shape, ones),
    }
    return leaves | {"count": param(params["stats"], "count", (), zeros)} if count else leaves


def unbiased(var: jax.Array, count: int | jax.Array) -> jax.Array:
    """A mean square of ``count`` deviations as the estimate of the variance they come from."""
    return var * (count / (count - 1 if isinstance(count, int) else jnp.maximum(count - 1, 1)))


def follow(
    y: jax.Array,
    old: dict[str, jax.Array],
    batch: dict[str, jax.Array],
    momentum: float | None,
    values: int | jax.Array,
) -> jax.Array:
    """``y``, whose gradient moves the ``old`` statistics to the batch's of so many ``values``."""
    batch = {name: value.astype(old[name].dtype) for name, value in batch.items()}
    if momentum is None:
        seen = old["count"] + 1
        batch = {
            name: old[name] + (x - old[name]) / seen.astype(x.dtype) for name, x in batch.items()
        }
        batch["count"] = seen
    if not isinstance(values, int):  # a batch that is masked entirely says nothing
        batch = {name: jnp.where(values > 0, x, old[name]) for name, x in batch.items()}
    return stats.learn(y, old, batch, 1.0 if momentum is None else momentum)
