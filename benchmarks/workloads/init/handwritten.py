"""One compiled function in JAX alone, that draws stacked blocks."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.trial_init import Initializing
from benchmarks.workload import Task


@functools.partial(jax.jit, static_argnums=0)
def init(network: tuple[int, ...], key: jax.Array) -> Any:
    """The parameters."""
    vocabulary, width, blocks, heads, length = network
    keys = iter(jax.random.split(key, 8))

    def linear(shape: tuple[int, ...], bias: tuple[int, ...]) -> dict[str, jax.Array]:
        kernel = 0.02 * jax.random.normal(next(keys), (blocks, *shape))
        return {"kernel": kernel, "bias": jnp.zeros((blocks, *bias))}

    def norm(*stack: int) -> dict[str, jax.Array]:
        return {"scale": jnp.ones((*stack, width)), "bias": jnp.zeros((*stack, width))}

    into = (width, heads, width // heads), (heads, width // heads)
    attention = {name: linear(*into) for name in ("query", "key", "value")}
    attention["out"] = linear((*into[1], width), (width,))
    up, down = linear((width, 4 * width), (4 * width,)), linear((4 * width, width), (width,))
    return {
        "embed": {"kernel": 0.02 * jax.random.normal(next(keys), (vocabulary, width))},
        "position": {"kernel": 0.02 * jax.random.normal(next(keys), (length, width))},
        "blocks": {
            "attention": attention,
            "mlp": {"0": up, "1": down},
            "norm1": norm(blocks),
            "norm2": norm(blocks),
        },
        "norm": norm(),
    }


def build(task: Task, variant: str) -> Initializing:
    """Its parameters."""
    network = tuple(task.settings["network"])
    return Initializing(lambda: init(network, jax.random.key(0)), variant)
