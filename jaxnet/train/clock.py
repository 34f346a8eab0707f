"""The step and the random key of a state as one array: a leaf costs a dispatch a microsecond.

Its first word is the step, the others are the key's, which a dispatch would take apart in Python.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.dtypes import is_key
from jaxnet.core.errors import describe, is_array


def clock_of(step: Any, key: Any) -> tuple[Any, str]:
    """The clock of a step and a key, and the name of the key's generator.

    What stands in for arrays, such as axes to map over or a sharding, has to be the same for both.
    """
    generators = ["threefry2x32"]
    if not is_array(step) or not is_array(key):
        if step is not key and step != key:
            raise ValueError(
                "a state keeps step and key in one array, so that what stands for them must be "
                f"the same, but step is {describe(step)} and key is {describe(key)}"
            )
        return key, generators[-1]

    def joined(step: jax.Array, key: jax.Array) -> jax.Array:
        if is_key(key):
            generators.append(str(jax.random.key_impl(key)))
            key = jax.random.key_data(key)
        if not jnp.issubdtype(step.dtype, jnp.integer) or step.shape != key.shape[:-1]:
            raise ValueError(
                "a state needs an integer step for each key, but was given the step "
                f"{describe(step)} with {describe(key)}, of which the last axis is a key's words"
            )
        first = jnp.expand_dims(step.astype(jnp.uint32), -1)
        return jax.lax.concatenate([first, key.astype(jnp.uint32)], step.ndim)

    return _result(joined, step, key), generators[-1]


def step_of(clock: Any, generator: str) -> Any:
    """The step that a clock holds; what stands for a clock stands for it, too."""

    def step(clock: jax.Array) -> jax.Array:
        return jax.lax.index_in_dim(clock, 0, -1, keepdims=False).astype(jnp.int32)

    return _result(step, clock) if is_array(clock) else clock


def key_of(clock: Any, generator: str) -> Any:
    """The key that a clock holds, likewise."""

    def key(clock: jax.Array) -> jax.Array:
        words = jax.lax.slice_in_dim(clock, 1, None, axis=-1)
        return jax.random.wrap_key_data(words, impl=generator)

    return _result(key, clock) if is_array(clock) else clock


def with_clocks(given: Mapping[str, Any], needed: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves by path where a clock is in the place of a step and a key that checkpoints may have.

    Versions that wrote these apart are read in this way.
    """
    given = dict(given)
    for path in needed:
        if path.endswith("clock") and path not in given:
            apart = [path.removesuffix("clock") + name for name in ("step", "key")]
            if all(part in given for part in apart):
                given[path], _ = clock_of(*map(given.pop, apart))
    return given


def _result(fn: Callable[..., Any], *args: Any) -> Any:
    shapes = any(isinstance(x, jax.ShapeDtypeStruct) for x in args)
    return jax.eval_shape(fn, *args) if shapes else fn(*args)
