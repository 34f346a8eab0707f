"""S5: a linear system with a diagonal, complex transition (arXiv:2208.04933)."""

import dataclasses
import functools
import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.nn import initializers
from jaxnet.nn.linear import linear
from jaxnet.nn.statespace import StateSpace, check_pair, held, linear_recurrence


class S5(StateSpace):
    """A diagonal state space, of all features together: ``[..., T, D] -> [..., T, D]``.

    The continuous system ``h' = L h + B x``, ``y = 2 Re(C h) + skip * x`` with diagonal
    ``L = -exp(log_decay) + i frequency``, for the P = ``state / 2`` of each two conjugate modes,
    held from step to step of the size ``s = exp(log_step)``, a learnt one for each mode:
    ``h[t] = exp(L s) h[t - 1] + (exp(L s) - 1) / L B x[t]``. It is linear: let an activation
    follow. It starts as ``blocks`` copies of HiPPO-N, which remembers the past by Legendre
    polynomials, with B and C that are LeCun normal for a real system, and with steps between the
    two of ``steps``.

    Leaves ``log_decay [P]``, ``frequency [P]``, ``log_step [P]``, ``skip [D]``, and with a real
    and an imaginary part ``input [D, P, 2]``, the B, and ``output [P, 2, D]``, the C. The state is
    ``h [..., P]``, complex; it, ``lengths``, ``scan`` and ``time_major`` are as in ``Recurrent``.
    Raises ValueError unless ``state`` is a multiple of ``2 * blocks``.

    >>> layer = S5(8)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 3)))
    >>> layer(params, jnp.ones((2, 5, 3))).shape
    (2, 5, 3)

    Step by step, as in generation:

    >>> state, y = layer.scan(params, jnp.ones((2, 1, 3)))
    >>> state, y = layer.scan(params, jnp.ones((2, 1, 3)), state)
    >>> state.shape, y.shape
    ((2, 4), (2, 1, 3))
    """

    state: int
    _: KW_ONLY
    blocks: int = 1
    steps: tuple[float, float] = (0.001, 0.1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.state, "state of S5")
        check_size(self.blocks, "blocks of S5")
        if self.state % (2 * self.blocks):
            raise ValueError(
                f"state of S5 must be a multiple of {2 * self.blocks}, a pair of modes in each of "
                f"the {self.blocks} blocks, but is {self.state}"
            )
        check_pair(self.steps, "steps of S5")

    def begin(self, x: Any) -> jax.Array:
        zeros = jnp.zeros((*x.shape[:-1], self.state // 2), at_least_float32(x))
        return jax.lax.complex(zeros, zeros)

    def mix(
        self, params: Any, x: jax.Array, live: jax.Array | None, state: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        inputs, modes, wide = x.shape[-1], self.state // 2, at_least_float32(x)

        def leaf(name: str, shape: tuple[int, ...], init: Any) -> jax.Array:
            return param(params, name, shape, init).astype(wide)

        low, high = map(math.log, self.steps)
        step = jnp.exp(leaf("log_step", (modes,), initializers.Uniform(high, low=low)))
        decay = jnp.exp(leaf("log_decay", (modes,), initializers.Constant(math.log(0.5))))
        pole = jax.lax.complex(-decay, leaf("frequency", (modes,), _Frequencies(self.blocks)))
        kernel = leaf("input", (inputs, modes, 2), _Input(self.blocks))
        output = leaf("output", (modes, 2, inputs), _Output(self.blocks))
        skip = leaf("skip", (inputs,), initializers.normal)

        u = linear(x.astype(wide), kernel)
        u = jax.lax.complex(u[..., 0], u[..., 1])
        exponent = pole * step.astype(pole.dtype)
        # By expm1, for steps are so small that exp - 1 is mostly rounding.
        u *= jnp.broadcast_to(jnp.expm1(exponent) / pole, u.shape)
        factor = held(live, jnp.broadcast_to(jnp.exp(exponent), u.shape), 1)
        state, h = linear_recurrence(u, factor, state)
        y = 2 * linear(jnp.stack([h.real, -h.imag], -1), output, axes=2)
        y += jnp.broadcast_to(skip, y.shape) * x.astype(wide)
        return state, y.astype(x.dtype)


@functools.cache
def _hippo(size: int) -> tuple[np.ndarray, np.ndarray]:
    """HiPPO-N as -1/2 + i frequencies, the positive ones, and their eigenvectors ``[size, P]``."""
    roots = np.sqrt(2.0 * np.arange(size) + 1)
    lower = np.tril(np.outer(roots, roots), -1) / 2
    frequencies, vectors = np.linalg.eigh(1j * (lower - lower.T))
    return frequencies[size // 2 :], vectors[:, size // 2 :]


@dataclasses.dataclass(frozen=True)
class _Frequencies:
    blocks: int

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        frequencies, _ = _hippo(2 * shape[0] // self.blocks)
        return jnp.asarray(np.tile(frequencies, self.blocks), dtype)


@dataclasses.dataclass(frozen=True)
class _Input:
    """A real matrix ``[D, state]``, LeCun normal, on the modes: ``[D, P, 2]``."""

    blocks: int

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        inputs, modes, _ = shape
        matrix = jax.random.normal(key, (inputs, self.blocks, 2 * modes // self.blocks), dtype)
        return _on_modes(matrix / math.sqrt(inputs), conjugate=True)


@dataclasses.dataclass(frozen=True)
class _Output:
    """A real matrix ``[state, D]``, LeCun normal, on the modes: ``[P, 2, D]``."""

    blocks: int

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        modes, _, features = shape
        matrix = jax.random.normal(key, (features, self.blocks, 2 * modes // self.blocks), dtype)
        return _on_modes(matrix / math.sqrt(2 * modes), conjugate=False).transpose(1, 2, 0)


def _on_modes(matrix: jax.Array, *, conjugate: bool) -> jax.Array:
    """``[D, blocks, size]`` to ``[D, P, 2]``, with eigenvectors or their conjugates."""
    _, vectors = _hippo(matrix.shape[-1])
    vectors = vectors.conj() if conjugate else vectors
    parts = jnp.asarray(np.stack([np.real(vectors), np.imag(vectors)], -1), matrix.dtype)
    return linear(matrix, parts).reshape(len(matrix), -1, 2)
