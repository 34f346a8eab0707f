"""The making of a network's first parameters as a trial."""

from collections.abc import Callable
from typing import Any

import jax


class Initializing:
    """``init()`` returns parameters; with ``"first"`` JAX has forgotten what it compiled."""

    def __init__(self, init: Callable[[], Any], variant: str) -> None:
        self.figures: dict[str, float] = {}
        self.init, self.variant = init, variant

    def check(self) -> list[float]:
        """The number of parameters."""
        return [float(sum(leaf.size for leaf in jax.tree.leaves(self.init())))]

    def run(self, n: int) -> int:
        """So many times."""
        for _ in range(n):
            if self.variant == "first":
                jax.clear_caches()
            jax.block_until_ready(self.init())
        return n
