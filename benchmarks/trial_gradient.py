"""An operation's value and gradients in JAX as a trial, alone or an iteration of a loop."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.workloads.convolution import some

Point = dict[str, jax.Array]
ITERATIONS = 3  # of the loop


class Gradient:
    """The mean square of ``operation(**point)``, and its gradient by each array.

    ``"in a loop"`` makes three in one program, each of which depends on the one before.
    """

    def __init__(
        self, operation: Callable[..., jax.Array], point: dict[str, np.ndarray], variant: str
    ) -> None:
        self.figures: dict[str, float] = {}
        self.group = ITERATIONS if variant == "in a loop" else 1
        self.point = jax.device_put(point)
        of = jax.value_and_grad(lambda point: jnp.square(operation(**point)).mean())

        def looped(point: Point) -> tuple[jax.Array, Point]:
            def again(_: Any, made: tuple[jax.Array, Point]) -> tuple[jax.Array, Point]:
                return of(jax.tree.map(lambda x, grad: x - 1e-9 * grad, point, made[1]))

            start = jnp.zeros(()), jax.tree.map(jnp.zeros_like, point)
            return jax.lax.fori_loop(0, ITERATIONS, again, start)

        self.program = jax.jit(of if self.group == 1 else looped)

    def check(self) -> list[float]:
        """Entries of the gradients."""
        _, gradients = self.program(self.point)
        return some(np.asarray(gradients[name]) for name in ("x", "kernel") if name in gradients)

    def run(self, n: int) -> int:
        """So many."""
        calls = -(-n // self.group)
        for _ in range(calls):
            jax.block_until_ready(self.program(self.point))
        return calls * self.group
