"""Convolution and max-pooling with their gradients, against XLA's own, alone and in a loop.

    python benchmarks/conv_gradients.py [rounds]

Both sides run in turns in one process; a ratio above 1 says how many times faster jaxnet is.
"""

import functools
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnet import nn

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
ITERATIONS = 3  # of the loop

# name: input, kernel, options of nn.conv
CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "3x3, 1 to 16": ((32, 28, 28, 1), (3, 3, 1, 16), {}),
    "3x3, 16 to 16": ((32, 28, 28, 16), (3, 3, 16, 16), {}),
    "3x3, 64 to 64": ((64, 8, 8, 64), (3, 3, 64, 64), {}),
    "3x3 by 2, 32 to 32": ((32, 16, 16, 32), (3, 3, 32, 32), {"stride": 2}),
    "1x1, 64 to 64": ((32, 14, 14, 64), (1, 1, 64, 64), {}),
    "3x3, 8 groups": ((32, 14, 14, 64), (3, 3, 8, 64), {"groups": 8}),
    "3x3 depthwise": ((32, 14, 14, 64), (3, 3, 1, 64), {"groups": 64}),
    "5 causal, 1-D": ((32, 128, 32), (5, 32, 32), {"padding": "CAUSAL"}),
    "3x3x3, 3-D": ((4, 8, 8, 8, 16), (3, 3, 3, 16, 32), {}),
}


def xla_conv(x: jax.Array, kernel: jax.Array, *, stride=1, padding="SAME", groups=1) -> jax.Array:
    """``nn.conv`` as one call of XLA."""
    axes = kernel.ndim - 2
    letters = "DHW"[3 - axes :]
    return lax.conv_general_dilated(
        x, kernel, (stride,) * axes, [(4, 0)] if padding == "CAUSAL" else padding,
        dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
        feature_group_count=groups,
    )  # fmt: skip


def xla_pool(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Max-pooling of 2x2 windows as one call of XLA, scaled so that there is a kernel, too."""
    y = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return y * kernel[0, 0, 0, 0]


def our_pool(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The same by ``nn.max_pool``."""
    return nn.max_pool(x, 2) * kernel[0, 0, 0, 0]


def programs(conv: Callable[..., jax.Array]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """One value and gradient, and a loop of some, each of which depends on the one before."""
    gradient = jax.value_and_grad(lambda x, kernel: jnp.square(conv(x, kernel)).sum(), (0, 1))

    def descend(_: Any, point: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        return jax.tree.map(lambda a, g: a - 1e-9 * g, point, gradient(*point)[1])

    return jax.jit(gradient), jax.jit(lambda *point: lax.fori_loop(0, ITERATIONS, descend, point))


def compare(name: str, theirs: Any, ours: Any, shapes: tuple[Any, Any]) -> None:
    """Print medians in milliseconds and their ratio, alone and in a loop."""
    keys = jax.random.split(jax.random.key(0))
    point = [jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True)]
    cells = []
    for *pair, steps in zip(programs(theirs), programs(ours), (1, ITERATIONS), strict=True):
        times: list[list[float]] = [[], []]
        for program in pair:
            jax.block_until_ready(program(*point))
        for _ in range(ROUNDS):
            for program, taken in zip(pair, times, strict=True):
                began = time.perf_counter()
                jax.block_until_ready(program(*point))
                taken.append((time.perf_counter() - began) / steps * 1e3)
        xla, jaxnet = map(statistics.median, times)
        cells.append(f"{xla:9.2f} {jaxnet:7.2f} {xla / jaxnet:6.1f}x")
    print(f"{name:20}", *cells, flush=True)


def main() -> None:
    """Print one row a case, of values and gradients together."""
    print(f"{'ms':20} {'alone: XLA  jaxnet  ratio':>25} {'loop: XLA  jaxnet  ratio':>25}")
    for name, (x, kernel, options) in CASES.items():
        options = {"padding": "SAME", **options}
        ours = functools.partial(nn.conv, **options)
        compare(name, functools.partial(xla_conv, **options), ours, (x, kernel))
    compare("max pool 2x2", xla_pool, our_pool, ((32, 32, 32, 64), (1, 1, 1, 1)))


if __name__ == "__main__":
    main()
