"""Layers made of layers: one after the other, around, and many times."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY
from typing import Any

import jax

from jaxnet.core.blueprint import Blueprint, child, split, stacked
from jaxnet.core.checks import check_choice, check_size
from jaxnet.core.errors import describe, listing
from jaxnet.core.layer import Layer
from jaxnet.nn.activation import gelu
from jaxnet.nn.dropout import check_rate, dropout
from jaxnet.nn.linear import Linear

type Remat = bool | str | Callable[..., Any]

# Written out, compile time grows with the number of repetitions; a loop takes more memory.
_FEW = 24


def apply(layer: Any, params: Any, x: Any, *, key: jax.Array | None) -> Any:
    """Call a layer, or a plain function of ``x`` where that stands in its place."""
    return layer(params, x, key=key) if isinstance(layer, Layer) else layer(x)


def check_parts(layers: Sequence[Any], what: str) -> None:
    """Raise unless all are layers or functions."""
    for part in layers:
        if not callable(part) or isinstance(part, type):
            made = f"; write {part.__name__}(…)" if isinstance(part, type) else ""
            raise ValueError(
                f"{what} takes layers and functions one by one, but was given {part!r}{made}"
            )


def list_parts(layers: Sequence[Any]) -> str:
    """How layers and functions read in the ``repr`` of what holds them."""
    return ", ".join(getattr(x, "__name__", repr(x)) for x in layers)


def calls(
    layers: Sequence[Any], params: Any, key: jax.Array | None, what: str
) -> list[Callable[[Any], Any]]:
    """Each as a function of its input; that at ``i`` has the leaves under ``str(i)`` and a key."""
    names = [str(i) for i in range(len(layers))]
    _check_names(params, names, what)
    keys = split(key, len(names))
    return [
        functools.partial(apply, layer, child(params, name), key=own_key)
        for name, layer, own_key in zip(names, layers, keys, strict=True)
    ]


class Sequential(Layer):
    """One layer after the other; plain functions of ``x`` stand among them as they are.

    The layer at position ``i`` has its leaves under ``str(i)``, and a key of its own.

    >>> layer = Sequential(Linear(4), jax.nn.sigmoid, Linear(1))
    >>> params = layer.init(jax.random.key(0), jax.numpy.zeros((1, 3)))
    >>> list(params), layer(params, jax.numpy.ones((5, 3))).shape
    (['0', '2'], (5, 1))
    """

    layers: tuple[Callable[..., Any], ...]

    def __init__(self, *layers: Callable[..., Any]) -> None:
        check_parts(layers, "Sequential")
        object.__setattr__(self, "layers", layers)
        self.__post_init__()

    def __repr__(self) -> str:
        return f"Sequential({list_parts(self.layers)})"

    def __call__(self, params: Any, x: Any, *, key: jax.Array | None = None) -> Any:
        for call in calls(self.layers, params, key, "Sequential"):
            x = call(x)
        return x


class Residual(Layer):
    """``x + layer(x)``, with the layer's own leaves: ``[...] -> [...]``.

    Raises ValueError if the layer changes the shape.

    >>> Residual(jax.nn.relu)({}, jax.numpy.array([-1.0, 2.0]))
    Array([-1.,  4.], dtype=float32)
    """

    layer: Callable[..., Any]

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return x + _same(apply(self.layer, params, x, key=key), x, self)


class Repeat(Layer):
    """The same layer ``n`` times in a row, on leaves with a leading axis of ``n``.

    ``scan=True`` makes it one loop, whose compile time does not grow with ``n``; ``False`` writes
    out each repetition, which can then be seen by itself. By default it is a loop, but on a GPU up
    to 24 repetitions are written out: there a loop copies all that the backward pass needs.
    ``unroll`` puts that many repetitions in one iteration of a loop.

    ``remat`` says what the backward pass computes again instead of keeping it: nothing (False),
    everything (True), everything but what cuDNN's kernel of attention made (``"attention"``), or
    but that and matrix products (``"dots"``); or it is a policy for ``jax.checkpoint``.
    Raises ValueError if the layer changes shape or dtype, or a leaf has another leading axis.

    >>> layer = Repeat(Residual(Linear(3)), 12)
    >>> params = layer.init(jax.random.key(0), jax.numpy.zeros((1, 3)))
    >>> params["kernel"].shape, layer(params, jax.numpy.ones((5, 3))).shape
    ((12, 3, 3), (5, 3))
    """

    layer: Layer
    n: int
    _: KW_ONLY
    remat: Remat = False
    unroll: int = 1
    scan: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.n, "n of Repeat")
        check_size(self.unroll, "unroll of Repeat")
        if isinstance(self.remat, str):
            check_choice(self.remat, _POLICIES, "remat", "Repeat")

    def __call__(self, params: Any, x: Any, *, key: jax.Array | None = None) -> Any:
        params = stacked(params, self.n)
        keys = None if key is None else split(key, self.n)
        scan = self.scan
        if scan is None:
            scan = self.n > _FEW or self.unroll > 1 or jax.default_backend() != "gpu"
        once = _body(self, scan)
        if scan:
            return jax.lax.scan(once, x, (params, keys), length=self.n, unroll=self.unroll)[0]
        for i in range(self.n):
            x, _ = once(x, jax.tree.map(lambda leaf: leaf[i], (params, keys)))
        return x


@functools.lru_cache(maxsize=256)
def _body(repeat: Repeat, scan: bool) -> Callable[..., Any]:
    """One repetition, as ``scan`` wants it; the same function each time, or scan compiles anew."""

    def once(x: Any, params_and_key: tuple[Any, jax.Array | None]) -> tuple[Any, None]:
        params, key = params_and_key
        return _same(repeat.layer(params, x, key=key), x, repeat), None

    if not repeat.remat:
        return once
    policy = _POLICIES.get(repeat.remat) if isinstance(repeat.remat, str) else repeat.remat
    # In a scan nothing can be moved across iterations, so no barrier is needed.
    return jax.checkpoint(once, policy=None if policy is True else policy, prevent_cse=not scan)


_POLICIES = {
    "attention": jax.checkpoint_policies.save_only_these_names("attention"),
    "dots": jax.checkpoint_policies.save_from_both_policies(
        jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
        jax.checkpoint_policies.save_only_these_names("attention"),
    ),
}


class MLP(Layer):
    """Linear layers with an activation between: ``[..., I] -> [..., features]``.

    ``hidden`` is the width between, or a tuple of them; ``features`` is by default the input's,
    as in a transformer. Dropout follows each activation. Leaves under ``"0"``, ``"1"``, …

    >>> layer = MLP(64)
    >>> params = layer.init(jax.random.key(0), jax.numpy.zeros((1, 16)))
    >>> jax.tree.map(jax.numpy.shape, params["1"])
    {'bias': (16,), 'kernel': (64, 16)}
    """

    hidden: int | tuple[int, ...]
    features: int | None = None
    _: KW_ONLY
    activation: Callable[[jax.Array], jax.Array] = gelu
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.dropout)

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        hidden = (self.hidden,) if isinstance(self.hidden, int) else self.hidden
        features = x.shape[-1] if self.features is None else self.features
        _check_names(params, [str(i) for i in range(len(hidden) + 1)], "MLP")
        keys = split(key if self.dropout else None, len(hidden))
        for i, (size, key) in enumerate(zip(hidden, keys, strict=True)):
            x = self.activation(Linear(size)(params[str(i)], x))
            x = dropout(x, self.dropout, key)
        return Linear(features)(params[str(len(hidden))], x)


def _same(y: Any, x: Any, layer: Layer) -> Any:
    """``y``, if it has the structure, shapes and dtypes of ``x``."""
    kinds = [jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), tree) for tree in (x, y)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"{layer!r} needs a layer that keeps shape and dtype, but it made "
            f"{describe(y)} of {describe(x)}"
        )
    return y


def _check_names(params: Any, names: list[str], what: str) -> None:
    """Raise if a combinator's dict holds parts that it does not have, which would be ignored."""
    if isinstance(params, Blueprint):
        return
    if extra := [name for name in params if name not in (*names, "taps")]:
        raise ValueError(
            f"{what} has no part for the parameters {listing(extra)}; its parts are "
            f"{listing(names)}: they were made for another model"
        )
