"""Spectral normalisation: kernels divided by their largest singular value."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core import stats, tree
from jaxnet.core.blueprint import Blueprint, Initializer
from jaxnet.core.checks import check_key, check_positive, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.layer import Layer
from jaxnet.nn.compose import list_parts
from jaxnet.nn.normalize import normalize
from jaxnet.nn.reparam import ask, check_kernel, configure, parted, stack_axes

_U, _V = "stats/{}/u", "stats/{}/v"


def spectral_norm(kernel: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
    """``kernel / (u^T W v)``: by its largest singular value if ``u, v`` are the vectors of that.

    ``W [O, rest]`` is ``kernel [*stack, *window, I, O]`` as a matrix with the outputs first;
    ``u [*stack, O]`` and ``v [*stack, rest]``. Where ``u^T W v`` is 0 the kernel stays as it is.
    Raises ValueError if the shapes do not fit.

    >>> first = jnp.array([1.0, 0.0])
    >>> spectral_norm(jnp.diag(jnp.array([2.0, 1.0])), first, first)
    Array([[1. , 0. ],
           [0. , 0.5]], dtype=float32)
    """
    matrix, u, v = _matrix(kernel, u, v)
    return _divided(kernel, _stretch(matrix, u, v))


def _matrix(kernel: jax.Array, u: jax.Array, v: jax.Array) -> tuple[jax.Array, ...]:
    """The kernel as ``[*stack, rest, O]`` and the vectors, all in the dtype to compute in."""
    check_kernel(kernel, "kernel of spectral_norm")
    stack = stack_axes(kernel, u, kernel.shape[-1], "u of spectral_norm")
    stack_axes(kernel, v, math.prod(kernel.shape[stack:-1]), "v of spectral_norm")
    dtype = at_least_float32(kernel)
    matrix = kernel.astype(dtype).reshape(*v.shape, kernel.shape[-1])
    return matrix, u.astype(dtype), v.astype(dtype)


def _stretch(matrix: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
    return jnp.einsum("...ro,...o,...r->...", matrix, u, v)


def _divided(kernel: jax.Array, by: jax.Array) -> jax.Array:
    by = jnp.expand_dims(jnp.where(by == 0, 1, by), tuple(range(by.ndim, kernel.ndim)))
    return (kernel.astype(by.dtype) / jnp.broadcast_to(by, kernel.shape)).astype(kernel.dtype)


def _iterated(
    matrix: jax.Array, u: jax.Array, v: jax.Array, iterations: int, eps: float
) -> tuple[jax.Array, jax.Array]:
    """``u`` and ``v`` after so many power iterations; a matrix of zeros leaves them alone."""

    def turned(x: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(x.any(-1, keepdims=True), normalize(x, eps=eps), old)

    def step(_: Any, vectors: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        u, v = vectors
        u = turned(jnp.einsum("...ro,...r->...o", matrix, v), u)
        return u, turned(jnp.einsum("...ro,...o->...r", matrix, u), v)

    return jax.lax.fori_loop(0, iterations, step, (u, v))


def _iterated_and_stretched(
    matrix: jax.Array, u: jax.Array, v: jax.Array, iterations: int, eps: float
) -> tuple[jax.Array, ...]:
    """``u^T W v`` and the vectors after power iterations, which its derivative takes as given.

    At the singular vectors it is the true derivative, since there ``u^T W v`` is stationary in
    them. Higher derivatives are those of this first one.
    """
    u, v = _iterated(matrix, u, v, iterations, eps)
    return _stretch(matrix, u, v), u, v


_reached: Any = jax.custom_jvp(_iterated_and_stretched, nondiff_argnums=(3, 4))


@_reached.defjvp
def _(iterations: int, eps: float, primals: Any, tangents: Any) -> tuple[Any, Any]:
    matrix, u, v = primals
    stretch, *vectors = _reached(matrix, u, v, iterations, eps)
    along = _stretch(tangents[0], *_iterated(matrix, u, v, iterations, eps))
    return (stretch, *vectors), (along, *map(jnp.zeros_like, vectors))


class SpectralNorm(Layer):
    """A layer whose kernels are divided by their largest singular value (arXiv:1802.05957).

    ``patterns`` are globs that choose leaves of the layer, by default ``"**/kernel"``. The singular
    vectors of the kernel at a path, as a matrix with the outputs first, are ``stats/<path>/u [O]``
    and ``stats/<path>/v [rest]``. They start after 15 power iterations; a training call (with a
    key) makes ``iterations`` more, and gives them the gradient by which the train step moves them
    there. Gradients take them as given, as in PyTorch. Inference calls use them as they are.
    Each training call in one loss adds its own move: call once, on all the examples together.
    Leaves stacked by ``Repeat`` are normalised one by one.
    Raises ValueError for a pattern that matches no leaf, or one of fewer than two axes.

    >>> from jaxnet import nn
    >>> layer = SpectralNorm(nn.Linear(4))
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 3)))
    >>> jax.tree.map(jnp.shape, params["stats"])
    {'kernel': {'u': (4,), 'v': (3,)}}
    """

    layer: Layer
    patterns: tuple[str, ...]
    iterations: int
    eps: float

    def __init__(
        self, layer: Layer, *patterns: str, iterations: int = 1, eps: float = 1e-12
    ) -> None:
        check_size(iterations, "iterations of SpectralNorm")
        check_positive(eps, "eps of SpectralNorm")
        configure(self, layer=layer, patterns=patterns, iterations=iterations, eps=eps)

    def __repr__(self) -> str:
        parts = list_parts((self.layer, *self.patterns))
        return f"SpectralNorm({parts}, iterations={self.iterations}, eps={self.eps})"

    def __call__(
        self, params: Any, *inputs: Any, key: jax.Array | None = None, **options: Any
    ) -> Any:
        if isinstance(params, Blueprint):
            y = self.layer(params, *inputs, key=key, **options)
            for path, leaf in parted(self.patterns, params, _U, _V)[0].items():
                for name, size in ((_U, leaf.shape[-1]), (_V, math.prod(leaf.shape[:-1]))):
                    made = _Vector(leaf.init, leaf.shape, name, self.eps)
                    ask(params, name.format(path), leaf, (size,), made, drawn_as=path)
            return y
        if key is not None:
            check_key(key)
        chosen, inner, flat = parted(self.patterns, params, _U, _V)
        kernels = {
            path: self._kernel(x, flat[_U.format(path)], flat[_V.format(path)], key)
            for path, x in chosen.items()
        }
        return self.layer(tree.unflatten(inner | kernels), *inputs, key=key, **options)

    def _kernel(
        self, kernel: jax.Array, u: jax.Array, v: jax.Array, key: jax.Array | None
    ) -> jax.Array:
        if key is None:
            return spectral_norm(kernel, u, v)
        stretch, *new = _reached(*_matrix(kernel, u, v), self.iterations, self.eps)
        new = [x.astype(old.dtype) for x, old in zip(new, (u, v), strict=True)]
        return stats.learn(_divided(kernel, stretch), [u, v], new, 1.0)


@dataclasses.dataclass(frozen=True)
class _Vector:
    """Makes a singular vector of the kernel that ``init`` draws with the same key."""

    init: Initializer
    shape: tuple[int, ...]
    name: str
    eps: float

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        kernel = self.init(key, self.shape, dtype)
        matrix = kernel.astype(at_least_float32(kernel)).reshape(-1, kernel.shape[-1])
        # Any start will do that is not orthogonal to the vector sought.
        v, u = (jax.random.normal(jax.random.key(0), (n,), matrix.dtype) for n in matrix.shape)
        u, v = _iterated(matrix, normalize(u), normalize(v), 15, self.eps)
        return (u if self.name == _U else v).astype(dtype)
