"""Greedy decoding by any JAX program as a trial, all its tokens in one compiled loop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.workload import Task
from benchmarks.workloads.decode import numbers, traffic


@dataclass(frozen=True)
class Decoder:
    """``logits(params, cache, ids [B], t) -> (logits [B, V], cache)``, and ``empty(params)``."""

    logits: Callable[[Any, Any, jax.Array, jax.Array], tuple[jax.Array, Any]]
    empty: Callable[[Any], Any]
    length: int

    def write(self, params: Any, ids: jax.Array) -> tuple[jax.Array, jax.Array]:
        """So many ids after the first, and their logits: ``[T, B]``."""

        def token(state: Any, t: jax.Array) -> Any:
            ids, cache = state
            scores, cache = self.logits(params, cache, ids, t)
            ids, best = scores.argmax(-1).astype(jnp.int32), scores.max(-1)
            return (ids, cache), (ids, best)

        return jax.lax.scan(token, (ids, self.empty(params)), jnp.arange(self.length))[1]


class Decoding:
    """Sequences, one after the other."""

    def __init__(self, task: Task, decoder: Decoder, params: Any) -> None:
        self.settings, self.params = task.settings, jax.device_put(params)
        self.ids = jnp.asarray(task.data["ids"], jnp.int32)
        self.write, self.length = jax.jit(decoder.write), decoder.length
        self.figures = {"bytes": traffic(self.settings)}

    def check(self) -> list[float]:
        """The tokens, or what is sure of them."""
        ids, best = jax.device_get(self.write(self.params, self.ids))
        return numbers(self.settings, ids, np.asarray(best, np.float32))

    def run(self, n: int) -> int:
        """So many tokens, in whole sequences."""
        sequences = -(-n // self.length)
        for _ in range(sequences):
            jax.block_until_ready(self.write(self.params, self.ids))
        return sequences * self.length


def unstacked(params: Any, name: str = "blocks") -> dict[str, Any]:
    """Parameters with a list of blocks: a program without a loop over them then copies none."""
    depth = len(jax.tree.leaves(params[name])[0])
    blocks = [jax.tree.map(lambda leaf, i=i: leaf[i], params[name]) for i in range(depth)]
    return params | {name: blocks}
