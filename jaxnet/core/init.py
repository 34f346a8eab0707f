"""Drawing parameters: one compiled program, in which alike leaves are drawn together."""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core import tree
from jaxnet.core.blueprint import Initializer, Leaf, Record, trace
from jaxnet.core.checks import check_key
from jaxnet.core.errors import describe

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
    return tree.unflatten(_drawer(plan, _by_path(plan, out_shardings), _on_cpu(key))(key))


def _on_cpu(key: jax.Array) -> bool:
    """Whether this is a program of its own for CPU, not a part of one that is being traced."""
    try:
        # In a trace the result of any operation is traced, also that of one on a given key.
        devices = jax.device_put(key).devices()
        return all(device.platform == "cpu" for device in devices)
    except jax.errors.ConcretizationTypeError:
        return False


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
def _drawer(
    plan: tuple[Any, ...], shardings: tuple[Any, ...], on_cpu: bool
) -> Callable[..., dict[str, Any]]:
    """The compiled program for a plan, kept so that a second ``init`` does not compile again."""
    groups: dict[Alike, dict[str, str]] = {}
    for (path, leaf), sharding in zip(plan, shardings, strict=True):
        alike = (dataclasses.replace(leaf, seed=None), sharding)
        groups.setdefault(alike, {})[path] = leaf.seed or path

    def draw(key: jax.Array) -> dict[str, Any]:
        return {
            path: leaf
            for alike, paths in groups.items()
            for path, leaf in zip(paths, _draw_alike(key, alike, paths), strict=True)
        }

    placed = dict(zip((path for path, *_ in plan), shardings, strict=True))
    # Random bits are many operations: LLVM's most thorough passes take as long as all else, to no
    # effect on their speed.
    options = {"xla_backend_optimization_level": 1} if on_cpu else None
    return jax.jit(draw, out_shardings=placed, compiler_options=options)


def _draw_alike(key: jax.Array, alike: Alike, seeds: dict[str, str]) -> jax.Array:
    """The leaves at the paths of ``seeds``, one behind the other."""
    leaf, sharding = alike
    numbers = jnp.stack([_number(seed) for seed in seeds.values()])
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)
    for n in leaf.stack:
        keys = jax.vmap(lambda key, n=n: _fold_each(key, n))(keys).reshape(-1)
    # Large leaves one after the other: random bits take several times the room of a leaf.
    together = max(1, _DRAWN_TOGETHER // max(1, math.prod(leaf.shape)))
    leaves = jax.lax.map(
        lambda key: leaf.init(key, leaf.shape, leaf.dtype), keys, batch_size=together
    )
    if leaves.shape != (len(keys), *leaf.shape) or leaves.dtype != leaf.dtype:
        raise ValueError(
            f"the initializer of {next(iter(seeds))} made {describe(leaves[0])}, but "
            f"{describe(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype))} was asked of it"
        )
    leaves = leaves.reshape(len(seeds), *leaf.spec.shape)
    if isinstance(sharding, jax.sharding.NamedSharding):
        # Without it the group, which has no sharding of its own, may be drawn whole and then cut.
        spec = jax.sharding.PartitionSpec(None, *sharding.spec)
        sharding = jax.sharding.NamedSharding(sharding.mesh, spec)
        leaves = jax.lax.with_sharding_constraint(leaves, sharding)
    return leaves


def _fold_each(key: jax.Array, n: int) -> jax.Array:
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(n))


def _number(path: str) -> jax.Array:
    return jnp.uint32(int.from_bytes(hashlib.sha256(path.encode()).digest()[:4]))
