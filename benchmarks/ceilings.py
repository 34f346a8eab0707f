"""The device's own ceilings: the fastest matrix product and the fastest copy that JAX gets.

    python -m benchmarks.ceilings

prints both as JSON: floating-point operations and bytes a second, the best of several rounds.
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def rate(fn: Callable[..., Any], amount: float, *args: Any) -> float:
    """How much of ``amount`` a second, by the median of the better half of nine rounds."""
    jax.block_until_ready(fn(*args))
    times = []
    for _ in range(9):
        began = time.perf_counter()
        jax.block_until_ready([fn(*args) for _ in range(5)])
        times.append((time.perf_counter() - began) / 5)
    return amount / statistics.median(sorted(times)[:5])


def ceilings() -> dict[str, float]:
    """By name; a 16-bit product only where there is hardware for it."""
    on_cpu = jax.default_backend() == "cpu"
    n, size = (2048, 2**26) if on_cpu else (8192, 2**28)
    found = {}
    for dtype in ("float32",) if on_cpu else ("float32", "bfloat16"):
        x = jnp.ones((n, n), dtype)
        found[f"{dtype}_flops"] = rate(jax.jit(jnp.matmul), 2 * n**3, x, x)
    x = jnp.ones(size, "float32")
    # Reading and writing both count.
    found["copy_bytes"] = rate(jax.jit(lambda x: x + 1), 2 * x.nbytes, x)
    return found


if __name__ == "__main__":
    print(json.dumps(ceilings()))
