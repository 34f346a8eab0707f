"""The product of examples and a kernel, in the forms that XLA runs fast on a CPU.

A kernel's gradient is ``x.T @ dy``. XLA has a fast product for matrices as they lie in memory, and
one up to eight times slower for those that are to be transposed, so ``x`` is transposed before.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.tangents import total

_FEW_PRODUCTS, _FEW_INPUTS = 2**10, 32
# A transposed copy of so many examples, and of so many entries, costs less than it saves.
_MANY_EXAMPLES, _CACHED = 16, 2**20

barrier = jax.lax.optimization_barrier


def matmul(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """``x @ kernel``: ``[N, I], [I, O] -> [N, O]``, or without ``N``."""
    if jax.default_backend() != "cpu":
        return x @ kernel
    few = x.size <= _FEW_PRODUCTS and x.shape[-1] <= _FEW_INPUTS and kernel.shape[1] == 1
    if few and jnp.result_type(x, kernel).itemsize >= 4:
        # So small a sum is fused with what is around it.
        return (x * jnp.broadcast_to(kernel[:, 0], x.shape)).sum(axis=-1, keepdims=True)
    if x.ndim == 2 and x.shape[0] >= _MANY_EXAMPLES and x.size <= _CACHED:
        return _matmul(x, kernel)
    return x @ kernel


_matmul = jax.custom_jvp(jnp.matmul)


@functools.partial(_matmul.defjvp, symbolic_zeros=True)
def _(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    x, kernel = primals
    # The copy is made for the gradient, not kept for it.
    by_copy = jax.checkpoint(along_kernel, prevent_cse=False)
    along = (lambda dx: dx @ kernel, lambda dkernel: by_copy(x, dkernel))
    return x @ kernel, total(along, tangents)


def along_kernel(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """``x @ kernel``, whose transpose is a product of matrices as they are stored."""
    # Without the barrier XLA would take back the transposition.
    return jnp.einsum("in,io->no", barrier(x.T), kernel)
