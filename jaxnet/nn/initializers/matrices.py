"""Kernels of a certain structure: orthogonal, the identity, sparse."""

import dataclasses
import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import Initializer
from jaxnet.core.checks import check_size
from jaxnet.nn.initializers.checks import check_kernel, check_matrix, check_std, check_window


@dataclasses.dataclass(frozen=True)
class Orthogonal:
    """``gain`` times a matrix with orthonormal rows or columns, whichever are fewer.

    The kernel is that matrix with its axes before the last as rows (arXiv:1312.6120).

    >>> kernel = Orthogonal()(jax.random.key(0), (5, 3), jnp.float32)
    >>> bool(jnp.allclose(kernel.T @ kernel, jnp.eye(3), atol=1e-5))
    True
    """

    gain: float = 1.0

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        check_kernel(shape, "Orthogonal")
        return jax.nn.initializers.orthogonal(self.gain)(key, shape, dtype)


@dataclasses.dataclass(frozen=True)
class DeltaOrthogonal:
    """An orthogonal matrix at the centre of a convolution's window, else 0 (arXiv:1806.05393).

    Raises ValueError for more inputs than outputs.

    >>> kernel = DeltaOrthogonal()(jax.random.key(0), (3, 2, 4), jnp.float32)
    >>> bool(jnp.allclose(kernel[1] @ kernel[1].T, jnp.eye(2), atol=1e-5)), kernel[0].any()
    (True, Array(False, dtype=bool))
    """

    gain: float = 1.0

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        check_window(shape, "DeltaOrthogonal")
        inputs, outputs = shape[-2:]
        if inputs > outputs:
            raise ValueError(
                f"DeltaOrthogonal needs at least as many outputs as inputs, but the kernel {shape} "
                f"has {inputs} inputs and {outputs} outputs; use Orthogonal"
            )
        return _centred(shape, Orthogonal(self.gain)(key, (inputs, outputs), dtype))


@dataclasses.dataclass(frozen=True)
class Identity:
    """``gain`` on the diagonal of a matrix, else 0: a linear map that returns its input.

    >>> Identity()(jax.random.key(0), (2, 3), jnp.float32)
    Array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """

    gain: float = 1.0

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        check_matrix(shape, "Identity")
        return self.gain * jnp.eye(*shape, dtype=dtype)


@dataclasses.dataclass(frozen=True)
class Dirac:
    """A convolution that returns its inputs: 1 at the window's centre, from input to like output.

    In each of ``groups``; inputs beyond a group's outputs are lost.
    Raises ValueError if ``groups`` does not divide the outputs.

    >>> Dirac()(jax.random.key(0), (3, 1, 1), jnp.float32).ravel()
    Array([0., 1., 0.], dtype=float32)
    """

    groups: int = 1

    def __post_init__(self) -> None:
        check_size(self.groups, "groups of Dirac")

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        check_window(shape, "Dirac")
        inputs, outputs = shape[-2:]
        if outputs % self.groups:
            raise ValueError(
                f"groups={self.groups} of Dirac must divide the {outputs} outputs of the kernel "
                f"{shape}"
            )
        group = jnp.eye(inputs, outputs // self.groups, dtype=dtype)
        return _centred(shape, jnp.tile(group, self.groups))


@dataclasses.dataclass(frozen=True)
class Sparse:
    """Normal, but of each input the share ``sparsity`` of its weights is 0 (Martens 2010).

    Raises ValueError unless ``0 <= sparsity <= 1``.

    >>> (Sparse(0.5)(jax.random.key(0), (3, 8), jnp.float32) == 0).sum(1)
    Array([4, 4, 4], dtype=int32)
    """

    sparsity: float
    _: KW_ONLY
    std: float = 0.01

    def __post_init__(self) -> None:
        check_std(self.std, "Sparse")
        if not 0 <= self.sparsity <= 1:
            raise ValueError(f"sparsity of Sparse is a share from 0 to 1, but is {self.sparsity}")

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        check_matrix(shape, "Sparse")
        inputs, outputs = shape
        normal, order = jax.random.split(key)
        places = jnp.tile(jnp.arange(outputs), (inputs, 1))
        places = jax.random.permutation(order, places, axis=1, independent=True)
        drawn = self.std * jax.random.normal(normal, shape, dtype)
        return jnp.where(places < math.ceil(self.sparsity * outputs), 0, drawn)


@dataclasses.dataclass(frozen=True)
class Flat:
    """``init`` of a matrix with ``fan_in`` rows, in whatever shape is asked for.

    For a kernel with several axes of inputs, which are no window.

    >>> Flat(Orthogonal(), 6)(jax.random.key(0), (2, 3, 5), jnp.float32).shape
    (2, 3, 5)
    """

    init: Initializer
    fan_in: int

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        flat = (self.fan_in, math.prod(shape) // max(1, self.fan_in))
        return self.init(key, flat, dtype).reshape(shape)


@dataclasses.dataclass(frozen=True)
class ZeroRow:
    """``init``, but one row is 0.

    >>> ZeroRow(jax.nn.initializers.ones, 1)(jax.random.key(0), (2, 2), jnp.float32)
    Array([[1., 1.],
           [0., 0.]], dtype=float32)
    """

    init: Initializer
    row: int

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return self.init(key, shape, dtype).at[self.row].set(0)


def _centred(shape: tuple[int, ...], matrix: jax.Array) -> jax.Array:
    """A convolution's kernel that is ``matrix`` at the window's centre, else 0."""
    centre = tuple(n // 2 for n in shape[:-2])
    return jnp.zeros(shape, matrix.dtype).at[centre].set(matrix)
