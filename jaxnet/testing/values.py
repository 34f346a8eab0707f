"""Properties of a layer's configuration, parameters and outputs."""

import copy
import re
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core import tree
from jaxnet.core.errors import describe
from jaxnet.testing.case import Case, claim, is_float


@claim(
    "a layer is hashable and equal to a copy of itself",
    "hold only immutable configuration in fields of a jn.Layer: numbers, strings, tuples, layers",
)
def hashable(case: Case) -> None:
    twin = copy.copy(case.layer)
    assert case.layer == twin, "the layer and its copy are not equal"
    chex.assert_equal(hash(case.layer), hash(twin))


@claim(
    "init can trace the call on the example inputs",
    "decide on values with jnp.where or lax.cond, not with Python's if, and use jnp, not np",
)
def initializes(case: Case) -> None:
    assert case.fresh is not None, "init returned None"


@claim(
    "init gives nested dicts of float arrays, no two of which share their memory",
    "make each leaf with jn.param, and compute what is no array (or is no float) in the call",
)
def leaves_are_arrays(case: Case) -> None:
    _assert_dicts(case.fresh, "")
    seen: dict[Any, str] = {}
    for path, leaf in tree.flatten(case.fresh).items():
        assert is_float(leaf), f"the leaf {path} is {describe(leaf)}"
        assert not leaf.weak_type, f"the leaf {path} is weakly typed"
        # Optimizers donate buffers: a shared one would be written twice.
        if leaf.size and leaf.is_fully_addressable and len(leaf.devices()) == 1:
            other = seen.setdefault(leaf.unsafe_buffer_pointer(), path)
            assert other == path, f"the leaves {other} and {path} are one array"


def _assert_dicts(node: Any, path: str) -> None:
    if isinstance(node, dict):
        for name, value in node.items():
            assert isinstance(name, str), f"the key {name!r} in {path or 'the tree'} is no string"
            _assert_dicts(value, f"{path}/{name}" if path else name)
    else:
        assert isinstance(node, jax.Array), f"the leaf {path or '(top)'} is {describe(node)}"


@claim(
    "a layer is called as layer(params, x, key=None), on batches of any size",
    "take a keyword argument key=None, and let no parameter be as large as the batch",
)
def callable_on_a_batch(case: Case) -> None:
    assert case.eager is not None, "the output is None"


@claim(
    "the output is finite jax.Arrays with strong types, in float32 for float32",
    "compute with jax.numpy only, and give new arrays the input's dtype: jnp.full(n, 2.0, x.dtype)",
)
def output_is_arrays(case: Case) -> None:
    leaves = jax.tree.leaves(case.eager, is_leaf=lambda x: x is None)
    assert leaves, f"the output is {describe(case.eager)}"
    for y in leaves:
        assert isinstance(y, jax.Array), f"the output is {describe(y)}, a {type(y).__name__}"
        assert not y.weak_type, f"the output {describe(y)} is weakly typed"
        if is_float(y):
            chex.assert_type(y, jnp.float32)
    chex.assert_tree_all_finite(case.eager)


@claim(
    "two calls without a key are equal bit for bit",
    "draw random numbers from the key only, and keep no state outside the parameters",
)
def repeatable(case: Case) -> None:
    again = case.layer(case.params, *case.inputs, key=None)
    chex.assert_trees_all_equal(again, case.eager, strict=True)


@claim(
    "one key gives one result, of the inference call's shapes and dtypes",
    "draw random numbers from the key only, and return the same kind of output with it as without",
)
def keys_decide(case: Case) -> None:
    trained, again = (case.run(case.params, case.inputs, case.key) for _ in range(2))
    chex.assert_trees_all_equal(again, trained, strict=True)
    chex.assert_trees_all_equal_shapes_and_dtypes(trained, case.eager)


@claim(
    "where a training call uses its key, different keys give different results",
    "draw from the key of the call, not from one made inside",
)
def keys_differ(case: Case) -> None:
    call = jax.jit(lambda key: case.layer(case.params, *case.inputs, key=key))
    # An unused key is no argument of the program; an ordered effect's token is one, but no tensor.
    if not re.search(r"@main\([^)]*tensor", call.lower(case.key).as_text()):
        return
    first = jax.tree.leaves(call(case.key))
    # So many, because dropout at a low rate seldom drops; one other is mostly enough.
    others = (jax.tree.leaves(call(key)) for key in jax.random.split(case.key, 1000))
    same = (all(map(np.array_equal, first, other)) for other in others)
    assert not all(same), "a thousand keys gave one result"
