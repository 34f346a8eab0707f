"""Weight normalisation: magnitudes and directions learnt apart."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core import tree
from jaxnet.core.blueprint import Blueprint, Initializer
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.layer import Layer
from jaxnet.nn.compose import list_parts
from jaxnet.nn.distance import vector_norm
from jaxnet.nn.reparam import ask, check_kernel, configure, parted, stack_axes

_MAGNITUDE = "{}_magnitude"


def weight_norm(direction: jax.Array, magnitude: jax.Array) -> jax.Array:
    """``magnitude * direction / |direction|``, one norm an output (arXiv:1602.07868).

    ``direction [*stack, *window, I, O]`` and ``magnitude [*stack, O]``; a stack holds kernels side
    by side. A direction of zeros gives zeros. Raises ValueError if the shapes do not fit.

    >>> weight_norm(jnp.array([[3.0], [4.0]]), jnp.array([10.0]))[:, 0]
    Array([6., 8.], dtype=float32)
    """
    check_kernel(direction, "direction of weight_norm")
    stack = stack_axes(direction, magnitude, direction.shape[-1], "magnitude of weight_norm")
    within = tuple(range(stack, direction.ndim - 1))
    v = direction.astype(at_least_float32(direction))
    norm = vector_norm(v, axis=within, keepdims=True)
    scale = jnp.expand_dims(magnitude.astype(v.dtype), within) / jnp.where(norm > 0, norm, 1)
    return (v * jnp.broadcast_to(scale, v.shape)).astype(direction.dtype)


class WeightNorm(Layer):
    """A layer whose kernels are ``magnitude * direction / |direction|`` (arXiv:1602.07868).

    ``patterns`` are globs that choose leaves of the layer, by default ``"**/kernel"``. Each is the
    direction, at its own path; its magnitude stands beside it, under its name with
    ``_magnitude``, one for each output, and starts as the norm: the layer starts as it would
    without. Leaves stacked by ``Repeat`` are normalised one by one.
    Raises ValueError for a pattern that matches no leaf, or one of fewer than two axes.

    >>> from jaxnet import nn
    >>> layer = WeightNorm(nn.Linear(4))
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 3)))
    >>> jax.tree.map(jnp.shape, params)
    {'bias': (4,), 'kernel': (3, 4), 'kernel_magnitude': (4,)}
    """

    layer: Layer
    patterns: tuple[str, ...]

    def __init__(self, layer: Layer, *patterns: str) -> None:
        configure(self, layer=layer, patterns=patterns)

    def __repr__(self) -> str:
        return f"WeightNorm({list_parts((self.layer, *self.patterns))})"

    def __call__(self, params: Any, *inputs: Any, **options: Any) -> Any:
        if isinstance(params, Blueprint):
            y = self.layer(params, *inputs, **options)
            for path, leaf in parted(self.patterns, params, _MAGNITUDE)[0].items():
                made = _Norm(leaf.init, leaf.shape)
                ask(params, _MAGNITUDE.format(path), leaf, leaf.shape[-1:], made, drawn_as=path)
            return y
        chosen, inner, flat = parted(self.patterns, params, _MAGNITUDE)
        kernels = {
            path: weight_norm(v, flat[_MAGNITUDE.format(path)]) for path, v in chosen.items()
        }
        return self.layer(tree.unflatten(inner | kernels), *inputs, **options)


@dataclasses.dataclass(frozen=True)
class _Norm:
    """Makes the norms of the kernel that ``init`` draws with the same key."""

    init: Initializer
    shape: tuple[int, ...]

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        kernel = self.init(key, self.shape, dtype)
        norm = vector_norm(kernel, axis=tuple(range(kernel.ndim - 1)))
        return norm.reshape(shape)
