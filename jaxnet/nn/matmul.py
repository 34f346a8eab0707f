"""The product of examples and a kernel, with a gradient in the form that XLA runs fast on a CPU.

A kernel's gradient is ``x.T @ dy``. XLA has a fast product for matrices as they lie in memory, and
one up to eight times slower for those that are to be transposed, so ``x`` is transposed before.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.tangents import total

# A transposed copy costs less than it saves from so many examples on, and up to so many entries.
_MANY_EXAMPLES, _CACHED = 16, 2**20


def matmul(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """``x @ kernel``: ``[N, I], [I, O] -> [N, O]``, or without ``N``."""
    if (
        jax.default_backend() == "cpu"
        and x.ndim == 2
        and x.shape[0] >= _MANY_EXAMPLES
        and x.size <= _CACHED
        and kernel.shape[1] > 1  # or it is no product of matrices
    ):
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
    return jnp.einsum("in,io->no", jax.lax.optimization_barrier(x.T), kernel)
