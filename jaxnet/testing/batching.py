"""Properties of a layer's batch: all axes before the features, and one example at a time."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.testing.case import FLOAT32, Case, assert_close, claim


@claim(
    "at inference the examples of a batch do not influence each other",
    "reduce, normalise and broadcast over trailing axes only: axis=-1, never axis=0 or all axes",
)
def independent(case: Case) -> None:
    expected = case.run(case.params, case.inputs)
    for change in (_rolled, _first_only):
        assert_close(case.run(case.params, change(case.inputs)), change(expected), FLOAT32)


def _rolled(tree: Any) -> Any:
    return jax.tree.map(lambda x: jnp.asarray(np.roll(x, 1, axis=0)), tree)


def _first_only(tree: Any) -> Any:
    return jax.tree.map(lambda x: jnp.asarray(np.broadcast_to(np.asarray(x)[:1], x.shape)), tree)


@claim(
    "there may be any batch axes: none, a batch of one, or several axes",
    "count axes from the end: x.shape[-1], x.reshape(*x.shape[:-2], -1), '...ij' in einsum",
)
def any_batch_axes(case: Case) -> None:
    @jax.jit
    def outputs(params: Any, forms: list[Any]) -> list[Any]:
        return [case.layer(params, *inputs, key=None) for inputs in forms]

    expected = case.run(case.params, case.inputs)
    assert_close(outputs(case.params, _forms(case.inputs)), _forms(expected), FLOAT32)


def _forms(tree: Any) -> list[Any]:
    """A batch as one example, as a batch of one, and with one and two axes more."""
    rolled = _rolled(tree)
    more = _stack(tree, rolled)
    parts = [jax.tree.map(lambda x, part=part: np.asarray(x)[part], tree) for part in (0, slice(1))]
    return [*parts, more, _stack(more, _stack(rolled, tree))]


def _stack(*trees: Any) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)
