"""Properties under JAX's transformations."""

import copy
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.testing.case import FLOAT32, GRADIENT, Case, assert_close, cast, claim, moved


@claim(
    "under jit the output is that of the eager call",
    "decide on values with jnp.where or lax.cond, not with Python's if, and keep no outside state",
)
def same_under_jit(case: Case) -> None:
    jitted = case.run(case.params, case.inputs)
    chex.assert_trees_all_equal_shapes_and_dtypes(jitted, case.eager)
    assert_close(jitted, case.eager, FLOAT32)


@claim(
    "a second call on equal shapes is not traced again",
    "change neither the layer nor JAX's settings in a call, and let __eq__ and __hash__ be",
)
def traced_once(case: Case) -> None:
    before = len(case.traces)
    for layer in (case.layer, copy.copy(case.layer)):
        case.jitted(layer, *cast((case.params, case.inputs), jnp.float32), None)
    again = len(case.traces) - before
    assert not again, f"two more calls were traced {again} times more"


@claim(
    "vmap over stacked parameters is a loop over them, in values and gradients",
    "keep Python's control flow off values, and fix no rank of a parameter by hand",
)
def same_under_vmap(case: Case) -> None:
    if not case.fresh:
        return
    models = [moved(case.layer.init(key, *case.given)) for key in jax.random.split(case.key, 3)]
    with jax.enable_x64(True):
        points = [case.point(jnp.float64) | {"params": cast(p, jnp.float64)} for p in models]
        loop = [case.slope(point, case.keys[-1]) for point in points]
        mapped = jax.jit(jax.vmap(jax.value_and_grad(case.scalar), (0, None)))
        assert_close(mapped(_stack(points), case.keys[-1]), _stack(loop), GRADIENT)


def _stack(trees: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


@claim(
    "jax.checkpoint in a lax.scan changes neither values nor gradients",
    "keep no state outside the parameters, and take random numbers from the key only",
)
def same_under_scan_and_checkpoint(case: Case) -> None:
    key = case.keys[-1]
    keys = None if key is None else jax.random.split(key, 2)

    def total(point: Any) -> jax.Array:
        @jax.checkpoint
        def body(total: jax.Array, key: jax.Array | None) -> tuple[jax.Array, None]:
            return total + case.scalar(point, key), None

        return jax.lax.scan(body, jnp.zeros(()), keys, length=2)[0]

    with jax.enable_x64(True):
        point = case.point(jnp.float64)
        loop = [case.slope(point, None if keys is None else keys[i]) for i in range(2)]
        expected = jax.tree.map(np.add, *jax.tree.map(np.asarray, loop))
        assert_close(jax.jit(jax.value_and_grad(total))(point), expected, GRADIENT)
