"""Drawing parameters: one compiled program, in which alike leaves are drawn together."""

import dataclasses
import functools
import hashlib
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core import tree
from jaxnet.core.blueprint import Initializer, Leaf, Record, trace
from jaxnet.core.checks import check_key
from jaxnet.core.errors import describe
from jaxnet.core.threefry import written_out

# What one draw shares: leaves that agree in all of it are drawn by one vmapped initializer.
type Alike = tuple[Leaf, Any]

_DRAWN_TOGETHER = 1 << 20  # entries: small leaves share one draw, large ones come one by one


def init(
    layer: Callable[..., Any],
    key: jax.Array,
    /,
    *inputs: Any,
    out_shardings: Any = None,
    initializers: Mapping[str, Initializer] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Parameters for ``layer(params, *inputs, **options)``, as a nested dict of arrays.

    ``inputs`` are example arrays or ShapeDtypeStructs; their values do not matter. A leaf's key is
    folded from its path, so another layer more or less changes no other leaf.
    ``out_shardings`` is one sharding for all leaves or a tree of them: leaves are then made in
    place, shard by shard, and never exist whole on one device.
    ``initializers`` are rules ``{pattern: initializer}`` (see ``jn.tree``) for leaves that are to
    be drawn in another way than their layers say; the first match wins.
    Raises ValueError for a pattern that matches no leaf.

    >>> from jaxnet import nn
    >>> params = init(nn.Linear(2), jax.random.key(0), jnp.zeros((1, 3)))
    >>> jax.tree.map(jnp.shape, params)
    {'bias': (2,), 'kernel': (3, 2)}
    """
    check_key(key)
    record = Record()
    trace(layer, *inputs, record=record, **options)
    plan = tuple(_chosen(record.leaves, initializers or {}).items())
    return tree.unflatten(_drawer(plan, _by_path(plan, out_shardings))(key))


def _chosen(leaves: dict[str, Leaf], rules: Mapping[str, Initializer]) -> dict[str, Leaf]:
    """The leaves, with the initializers that the rules give them."""
    if not rules:
        return leaves
    own = {path: leaf.init for path, leaf in leaves.items()}
    named = tree.flatten(tree.label(tree.unflatten(own), {**rules, "**": rules.get("**")}))
    inits = own | named
    return {path: dataclasses.replace(x, init=inits[path]) for path, x in leaves.items()}


def _by_path(plan: tuple[Any, ...], shardings: Any) -> tuple[Any, ...]:
    if shardings is None or isinstance(shardings, jax.sharding.Sharding):
        return (shardings,) * len(plan)
    flat = tree.flatten(shardings)
    if missing := [path for path, *_ in plan if path not in flat]:
        raise ValueError(f"out_shardings has no entry for {missing}; give one for every leaf")
    return tuple(flat[path] for path, *_ in plan)


@functools.lru_cache(maxsize=256)
def _drawer(plan: tuple[Any, ...], shardings: tuple[Any, ...]) -> Callable[..., dict[str, Any]]:
    """The compiled program for a plan, kept so that a second ``init`` does not compile again."""
    groups: dict[Alike, dict[str, str]] = {}
    for (path, leaf), sharding in zip(plan, shardings, strict=True):
        alike = (dataclasses.replace(leaf, seed=None), sharding)
        groups.setdefault(alike, {})[path] = leaf.seed or path

    seeds = itertools.chain.from_iterable(paths.values() for paths in groups.values())
    numbers = np.array([_number(seed) for seed in seeds], np.uint32)

    def draw(key: jax.Array) -> dict[str, Any]:
        keys = _fold_each(written_out(key), numbers)
        leaves, first = {}, 0
        for alike, paths in groups.items():
            own = keys[first : first + len(paths)]
            leaves |= zip(paths, _draw_alike(own, alike, next(iter(paths))), strict=True)
            first += len(paths)
        return leaves

    placed = dict(zip((path for path, *_ in plan), shardings, strict=True))
    return jax.jit(draw, out_shardings=placed)


def _draw_alike(keys: jax.Array, alike: Alike, path: str) -> jax.Array:
    """A leaf for each key, one behind the other; the first is at ``path``."""
    leaf, sharding = alike
    count = len(keys)
    for n in leaf.stack:
        keys = jax.vmap(_fold_each, (0, None))(keys, jnp.arange(n)).reshape(-1)

    def draw(key: jax.Array) -> jax.Array:
        return leaf.init(key, leaf.shape, leaf.dtype)

    if len(keys) == 1:  # which is compiled sooner
        leaves = draw(keys[0])[None]
    else:
        # Large leaves one after the other: random bits take several times the room of a leaf.
        together = max(1, _DRAWN_TOGETHER // max(1, math.prod(leaf.shape)))
        leaves = jax.lax.map(draw, keys, batch_size=together)
    if leaves.shape != (len(keys), *leaf.shape) or leaves.dtype != leaf.dtype:
        raise ValueError(
            f"the initializer of {path} made {describe(leaves[0])}, but "
            f"{describe(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype))} was asked of it"
        )
    leaves = leaves.reshape(count, *leaf.spec.shape)
    if isinstance(sharding, jax.sharding.NamedSharding):
        # Without it the group, which has no sharding of its own, may be drawn whole and then cut.
        spec = jax.sharding.PartitionSpec(None, *sharding.spec)
        sharding = jax.sharding.NamedSharding(sharding.mesh, spec)
        leaves = jax.lax.with_sharding_constraint(leaves, sharding)
    return leaves


_fold_each = jax.vmap(jax.random.fold_in, (None, 0))


def _number(path: str) -> int:
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:4])
