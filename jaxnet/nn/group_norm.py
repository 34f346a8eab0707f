"""Normalisation of each example over its spatial axes, feature by feature or in groups of them."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_key, check_positive, check_size
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn import moments
from jaxnet.nn.batch_norm import batch_norm, check_momentum, follow, running, unbiased
from jaxnet.nn.moments import (
    affine,
    check_features,
    scale_and_bias,
    shown,
    standardized,
    wide,
)


def group_norm(
    x: jax.Array,
    groups: int,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    axes: int = 2,
    eps: float = 1e-5,
    mask: jax.Array | None = None,
) -> jax.Array:
    """``(x - mean) / sqrt(var + eps) * scale + bias`` in groups of features (arXiv:1803.08494).

    ``x [..., *spatial, C]`` has ``axes`` spatial axes: 2 for images, 1 for sequences, 0 for
    vectors. Mean and variance are those of one example's ``C / groups`` adjacent features at all
    places; ``scale`` and ``bias`` are ``[C]``. Where ``mask [..., *spatial]`` is False values count
    for nothing, and the result is 0.
    Raises ValueError if a shape does not fit or ``groups`` does not divide ``C``.

    >>> group_norm(jnp.array([1.0, 3.0, 0.0, 8.0]), 2, axes=0).round(3)
    Array([-1.,  1., -1.,  1.], dtype=float32)
    """
    check_size(axes, "axes of group_norm", least=0)
    check_features(x, axes + 1, "group_norm")
    check_positive(eps, "eps of group_norm")
    check_size(groups, "groups of group_norm")
    if x.shape[-1] % groups:
        raise ValueError(
            f"groups of group_norm must divide the features, but {groups} does not divide the "
            f"{x.shape[-1]} of {describe(x)}; give a divisor"
        )
    y = wide(x, mask, "group_norm")
    y = y.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)
    over = (*range(-axes - 2, -2), -1)
    y = standardized(y, over, eps, mask).reshape(x.shape)
    return shown(affine(y, scale, bias, "group_norm"), mask).astype(x.dtype)


def instance_norm(
    x: jax.Array,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    axes: int = 2,
    eps: float = 1e-5,
    mask: jax.Array | None = None,
) -> jax.Array:
    """``(x - mean) / sqrt(var + eps) * scale + bias`` over an example's places (arXiv:1607.08022).

    ``x [..., *spatial, C]`` has ``axes`` spatial axes; ``scale`` and ``bias`` are ``[C]``. Where
    ``mask [..., *spatial]`` is False values count for nothing, and the result is 0.
    Raises ValueError if a shape does not fit or there is only one place.

    >>> instance_norm(jnp.array([[1.0, 0.0], [3.0, 8.0]]), axes=1).round(3)
    Array([[-1., -1.],
           [ 1.,  1.]], dtype=float32)
    """
    over = _places(x, axes, "instance_norm")
    check_positive(eps, "eps of instance_norm")
    y = standardized(wide(x, mask, "instance_norm"), over, eps, mask)
    return shown(affine(y, scale, bias, "instance_norm"), mask).astype(x.dtype)


def _places(x: jax.Array, axes: int, what: str) -> tuple[int, ...]:
    check_size(axes, f"axes of {what}")
    check_features(x, axes + 1, what)
    over = tuple(range(-axes - 1, -1))
    if all(x.shape[axis] == 1 for axis in over):
        raise ValueError(
            f"{what} needs more than one place to normalise over, but the last {axes} axes before "
            f"the features of {describe(x)} hold one; give a larger input or other axes"
        )
    return over


class GroupNorm(Layer):
    """Normalises each example in groups of features: ``[..., *spatial, C]`` to the same.

    ``axes`` is the number of spatial axes: 2 for images, 1 for sequences, 0 for vectors. Where
    ``mask [..., *spatial]`` is False values count for nothing, and the result is 0.
    Leaves ``scale [C]`` and ``bias [C]``, each only if switched on.

    >>> layer = GroupNorm(2)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 8, 8, 4)))
    >>> layer(params, jnp.ones((5, 8, 8, 4))).shape
    (5, 8, 8, 4)
    """

    groups: int
    _: KW_ONLY
    axes: int = 2
    eps: float = 1e-5
    scale: bool = True
    bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.groups, "groups of GroupNorm")
        check_size(self.axes, "axes of GroupNorm", least=0)
        check_positive(self.eps, "eps of GroupNorm")

    def __call__(
        self,
        params: Any,
        x: jax.Array,
        *,
        mask: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        check_features(x, self.axes + 1, "GroupNorm")
        scale, bias = scale_and_bias(self, params, x.shape[-1:])
        return group_norm(x, self.groups, scale, bias, axes=self.axes, eps=self.eps, mask=mask)


class InstanceNorm(Layer):
    """Normalises each feature of each example over its places: ``[..., *spatial, C]`` to the same.

    ``axes`` is the number of spatial axes: 2 for images, 1 for sequences. Where
    ``mask [..., *spatial]`` is False values count for nothing, and the result is 0.
    Leaves ``scale [C]`` and ``bias [C]``, each only if switched on. With ``stats=True`` inference
    uses running ``stats/mean [C]`` and ``stats/var [C]``, which a training call moves by
    ``momentum`` to the mean over examples of their means and unbiased variances.
    Raises ValueError if there is only one place.

    >>> layer = InstanceNorm(axes=1)
    >>> layer({}, jnp.array([[1.0, 0.0], [3.0, 8.0]])).round(3)
    Array([[-1., -1.],
           [ 1.,  1.]], dtype=float32)
    """

    _: KW_ONLY
    axes: int = 2
    eps: float = 1e-5
    scale: bool = False
    bias: bool = False
    stats: bool = False
    momentum: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.axes, "axes of InstanceNorm")
        check_positive(self.eps, "eps of InstanceNorm")
        check_momentum(self.momentum, "InstanceNorm")

    def __call__(
        self,
        params: Any,
        x: jax.Array,
        *,
        mask: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        check_features(x, self.axes + 1, "InstanceNorm")
        scale, bias = scale_and_bias(self, params, x.shape[-1:])
        old = running(params, x.shape[-1:], count=False) if self.stats else None
        if key is None and old is not None:
            return batch_norm(x, old["mean"], old["var"], scale, bias, eps=self.eps, mask=mask)
        y = instance_norm(x, scale, bias, axes=self.axes, eps=self.eps, mask=mask)
        if key is None or old is None:
            return y
        check_key(key)
        batch, examples = self._moments(x, mask)
        return follow(y, old, batch, self.momentum, examples)

    def _moments(
        self, x: jax.Array, mask: jax.Array | None
    ) -> tuple[dict[str, jax.Array], int | jax.Array]:
        """Mean over examples of mean and unbiased variance, and of how many examples."""
        over = _places(x, self.axes, "InstanceNorm")
        y = wide(x, mask, "InstanceNorm")
        mean = moments.mean(y, over, mask)
        var = moments.mean(jnp.square(y - mean), over, mask)
        if mask is None:
            places, some, examples = math.prod(x.shape[axis] for axis in over), None, 1
        else:
            spatial = range(-self.axes, 0)
            places = mask.sum(spatial, keepdims=True, dtype=y.dtype)[..., None]
            some = places[..., 0] > 0
            examples = some.sum()
        batch = {"mean": mean, "var": unbiased(var, places)}
        every = tuple(range(x.ndim - 1))
        return {k: moments.mean(v, every, some).reshape(-1) for k, v in batch.items()}, examples
