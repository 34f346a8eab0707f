"""``init`` is the same call, on a blueprint.

A layer asks for its leaves with ``param(params, name, shape, init)``. On a dict that returns the
leaf after checking its shape; on a ``Blueprint``, which ``init`` and ``specs`` pass instead under
``jax.eval_shape``, it records what was asked and hands back an abstract array. A blueprint is a
pytree without leaves, so it passes through jit, checkpoint, vmap and scan untouched.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core import threefry, tree
from jaxnet.core.checks import check_key
from jaxnet.core.errors import describe, is_array, near

type Initializer = Callable[..., jax.Array]  # init(key, shape, dtype)


@dataclasses.dataclass(frozen=True)
class Leaf:
    """What a layer asked for: one leaf of ``shape``, behind one axis for each of ``stack``.

    Its key is folded from its path, or from ``seed`` if it is made of the leaf at that path.
    """

    shape: tuple[int, ...]
    stack: tuple[int, ...]
    dtype: Any
    init: Initializer
    seed: str | None = None

    @property
    def spec(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(self.stack + self.shape, self.dtype)


@dataclasses.dataclass(frozen=True)
class Call:
    """One layer seen at work: where, which, and the shapes that went in and came out."""

    path: str
    layer: Any
    inputs: list[Any]
    outputs: list[Any]


class Record:
    """Everything one abstract run has seen: leaves by path and layer calls in order."""

    def __init__(self) -> None:
        self.leaves: dict[str, Leaf] = {}
        self.calls: list[Call] = []

    @property
    def specs(self) -> dict[str, jax.ShapeDtypeStruct]:
        return {path: leaf.spec for path, leaf in self.leaves.items()}


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Blueprint:
    """Stands for parameters that do not exist yet; ``blueprint[name]`` stands for a subtree."""

    record: Record
    path: str = ""
    stack: tuple[int, ...] = ()

    def __getitem__(self, name: str) -> "Blueprint":
        if not isinstance(name, str) or not name or set(name) & set("/*"):
            raise ValueError(
                f"{name!r} cannot name parameters: a name is a string without '/' and '*'"
            )
        return dataclasses.replace(self, path=f"{self.path}/{name}" if self.path else name)

    def __iter__(self, *_: object) -> Any:
        raise ValueError(
            f"parameters at {self.path or 'the top'!r} are still a blueprint, which has no keys "
            "to look through; name what the layer needs with jn.param and jn.child"
        )

    __contains__ = __jax_array__ = __iter__


type Params = dict[str, Any] | Blueprint


def param(
    params: Params, name: str, shape: tuple[int, ...], init: Initializer, dtype: Any = None
) -> jax.Array:
    """The leaf ``params[name]``, of the given shape; ``init(key, shape, dtype)`` makes it.

    ``dtype`` is what ``init`` draws (JAX's default float if not given); a call takes the leaf in
    whatever dtype it has. Using one name twice shares the leaf.
    Raises ValueError if the leaf is missing, not an array, or of another shape.

    >>> param({"bias": jnp.ones(3)}, "bias", (3,), jax.nn.initializers.zeros)
    Array([1., 1., 1.], dtype=float32)
    """
    shape = tuple(shape)
    if isinstance(params, Blueprint):
        path = params[name].path
        leaf = Leaf(shape, params.stack, jnp.dtype(dtype or jnp.result_type(float)), init)
        known = params.record.leaves.setdefault(path, leaf)
        if dataclasses.replace(known, init=init) != leaf:
            raise ValueError(
                f"{path} is used twice, as {describe(known.spec)} and as {describe(leaf.spec)}; "
                "one name is one shared leaf: give the second another name, or the same shape"
            )
        return jnp.zeros(shape, leaf.dtype)
    if not isinstance(params, dict):
        raise ValueError(f"parameters must be a dict, but {describe(params)} was given")
    if name not in params:
        raise ValueError(f"the parameters have no leaf {name!r}; {near(name, params)}")
    leaf = params[name]
    if not is_array(leaf):
        raise ValueError(f"the leaf {name!r} must be an array, but is {describe(leaf)}")
    if tuple(leaf.shape) != shape:
        raise ValueError(f"the leaf {name!r} is {describe(leaf)}, but {shape} is needed")
    return leaf


def child(params: Params, name: str) -> Params:
    """The subtree for one part of a combinator: empty where the tree has no entry for it.

    >>> child({"0": {"bias": 1}}, "1")
    {}
    """
    return params[name] if isinstance(params, Blueprint) else params.get(name, {})


def stacked(params: Params, n: int) -> Params:
    """The same parameters, declared to have a leading axis of ``n``, for ``scan`` and ``vmap``.

    Inside the scan or vmap a layer asks for one slice, as if it stood alone; every slice is drawn
    with a key of its own, which does not depend on ``n``. With ``jax.vmap`` give ``axis_size=n``.
    Raises ValueError if a leaf has another leading axis.

    >>> stacked({"bias": jnp.ones((4, 3))}, 4)["bias"].shape
    (4, 3)
    """
    if isinstance(params, Blueprint):
        return dataclasses.replace(params, stack=(*params.stack, n))
    wrong = {path: x for path, x in tree.flatten(params).items() if jnp.shape(x)[:1] != (n,)}
    if wrong:
        shapes = ", ".join(f"{path} is {describe(x)}" for path, x in list(wrong.items())[:8])
        raise ValueError(f"each leaf needs a leading axis of {n}, one slice a repetition: {shapes}")
    return params


def split(key: jax.Array | None, n: int) -> Any:
    """``n`` keys from one; ``None``, the key of an inference call, splits into ``None``s.

    >>> split(None, 2)
    (None, None)
    """
    if key is None:
        return (None,) * n
    check_key(key)
    return threefry.split(key, n)


def trace(layer: Callable[..., Any], *inputs: Any, record: Record, **options: Any) -> Any:
    """Fill ``record`` by calling ``layer`` abstractly on a blueprint; returns the output's specs.

    What has no shape and dtype among the inputs, such as a flag, is passed on as it is.
    """
    leaves, structure = jax.tree.flatten((inputs, options))
    arrays = [x for x in leaves if is_array(x)]

    def run(*traced: Any) -> Any:
        values = iter(traced)
        args, kwargs = structure.unflatten([next(values) if is_array(x) else x for x in leaves])
        return layer(Blueprint(record), *args, **kwargs)

    return jax.eval_shape(run, *arrays)


def specs(layer: Callable[..., Any], *inputs: Any, **options: Any) -> dict[str, Any]:
    """The parameters' tree as ShapeDtypeStructs, at no cost: nothing is drawn or computed.

    >>> from jaxnet import nn
    >>> specs(nn.Linear(2), jnp.zeros((1, 3)))["kernel"]
    ShapeDtypeStruct(shape=(3, 2), dtype=float32)
    """
    record = Record()
    trace(layer, *inputs, record=record, **options)
    return tree.unflatten(record.specs)
