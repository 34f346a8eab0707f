"""Recurrence over sequences: cells run along time, in both directions, in several layers."""

import dataclasses
import functools
from dataclasses import KW_ONLY
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import child, split
from jaxnet.core.checks import check_choice, check_size
from jaxnet.nn import initializers
from jaxnet.nn.cell import Activation, Cell
from jaxnet.nn.cells import GRUCell, LSTMCell, LSTMState, RNNCell
from jaxnet.nn.dropout import check_rate, dropout
from jaxnet.nn.sequence import SequenceLayer, where_live


class Loop(SequenceLayer):
    """Options of whatever runs one kind of cell; their meaning is in ``Recurrent``."""

    _: KW_ONLY
    reverse: bool = False
    recurrent_dropout: float = 0.0
    unroll: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.recurrent_dropout)
        check_size(self.unroll, f"unroll of {type(self).__name__}")

    def recurrent(self, kind: type[Cell]) -> "Recurrent":
        """Runs a cell with the options that this layer and the cell have in common."""
        cell = kind(**{f.name: getattr(self, f.name) for f in dataclasses.fields(kind)})
        return Recurrent(
            cell,
            reverse=self.reverse,
            recurrent_dropout=self.recurrent_dropout,
            unroll=self.unroll,
        )


class Recurrent(Loop):
    """Runs a cell along time, with the cell's leaves: ``[..., T, I] -> [..., T, features]``.

    ``state`` is the first one (by default the cell's own, zeros) and ``lengths [...]`` says where
    each sequence ends: behind, outputs are zeros and what stands there counts for nothing. ``scan``
    returns the last state, too. ``reverse`` runs against time, each sequence from its own end;
    outputs stay where their inputs are. ``time_major`` puts time first: ``[T, ..., I]``.
    ``recurrent_dropout`` drops entries of what steps see of the state, in a training call and
    the same at all steps (arXiv:1512.05287), as in Keras; an LSTM's memory is not dropped.
    ``unroll`` puts that many steps in one iteration of the loop. On CPU, LSTM and GRU with their
    usual activations run faster than step by step, unless with ``lengths`` or these options.
    Raises ValueError if the state does not fit, and for lengths that no sequence can have.

    >>> layer = Recurrent(GRUCell(4))
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 3)))
    >>> layer(params, jnp.ones((2, 5, 3))).shape
    (2, 5, 4)
    >>> state, y = layer.scan(params, jnp.ones((2, 5, 3)), lengths=jnp.array([5, 2]))
    >>> bool((state[1] == y[1, 1]).all())
    True
    """

    cell: Cell

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.cell, Cell):
            raise ValueError(
                f"cell of Recurrent must be a cell such as LSTMCell(8), but is {self.cell!r}; "
                "several become one with StackedCells, and your own is a subclass of Cell"
            )

    @property
    def axes(self) -> int:
        return self.cell.axes

    def begin(self, x: Any) -> Any:
        return self.cell.initial(x)

    def run(
        self, params: Any, xs: jax.Array, live: jax.Array | None, state: Any, key: Any
    ) -> tuple[Any, jax.Array]:
        return _run(self, params, xs, live, state, key)


# Compiled by itself, for outside of jit a scan over a new function compiles at every call.
@functools.partial(jax.jit, static_argnums=0)
def _run(
    layer: Recurrent, params: Any, xs: jax.Array, live: Any, state: Any, key: Any
) -> tuple[Any, jax.Array]:
    mask_key, key = split(key, 2)
    mask = None
    if mask_key is not None and layer.recurrent_dropout:
        mask = _mask(state, layer.recurrent_dropout, mask_key)
    if mask is None and live is None and layer.unroll == 1:
        whole = layer.cell.along(params, state, xs, layer.reverse)
        if whole is not None:
            return whole
    keys = None if key is None else split(key, len(xs))

    def step(state: Any, inputs: tuple[Any, Any, Any]) -> tuple[Any, jax.Array]:
        x, live, key = inputs
        sees = state if mask is None else jax.tree.map(jnp.multiply, state, mask)
        new, y = layer.cell.step(params, sees, x, key=key)
        if live is None:
            return new, y
        return where_live(live, new, state), where_live(live, y, jnp.zeros_like(y))

    inputs = (layer.cell.project(params, xs), live, keys)
    return jax.lax.scan(step, state, inputs, reverse=layer.reverse, unroll=layer.unroll)


def _mask(state: Any, rate: float, key: jax.Array) -> Any:
    """Factors of a state: zero for what is dropped, but nothing of an LSTM's memory is."""

    def is_lstm(x: Any) -> bool:
        return isinstance(x, LSTMState)

    def mask(node: Any, key: jax.Array) -> Any:
        if is_lstm(node):
            return LSTMState(mask(node.hidden, key), jnp.ones_like(node.cell))
        return dropout(jnp.ones_like(node), rate, key)

    nodes, structure = jax.tree.flatten(state, is_leaf=is_lstm)
    return structure.unflatten(map(mask, nodes, split(key, len(nodes))))


_MERGES = ("concat", "sum", "mul", "ave")


class Bidirectional(SequenceLayer):
    """A recurrent layer along time and one against it: ``[..., T, I] -> [..., T, 2 * features]``.

    ``backward`` is by default the same layer with ``reverse=True`` and leaves of its own. ``merge``
    says what becomes of the two outputs: ``"concat"`` (along features), ``"sum"``, ``"mul"`` or
    ``"ave"``, their mean. Leaves under ``"forward"`` and ``"backward"``; the state is the pair of
    theirs. ``state``, ``lengths`` and ``scan`` as in ``Recurrent``.

    >>> layer = Bidirectional(Recurrent(LSTMCell(4)))
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 3)))
    >>> layer(params, jnp.ones((2, 5, 3))).shape
    (2, 5, 8)
    """

    layer: Any
    backward: Any = None
    _: KW_ONLY
    merge: str = "concat"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.merge, _MERGES, "merge", "Bidirectional")
        for layer, reverse in zip(self._both, (False, True), strict=True):
            if getattr(layer, "reverse", None) is not reverse or layer.time_major:
                raise ValueError(
                    "Bidirectional takes a recurrent layer with reverse=False, such as LSTM(8) or "
                    "Recurrent(cell), and as backward one with reverse=True, but was given "
                    f"{layer!r}; time_major is an option of Bidirectional itself"
                )

    @property
    def _both(self) -> tuple[Any, Any]:
        if self.backward is None and isinstance(self.layer, Loop):
            return self.layer, dataclasses.replace(self.layer, reverse=True)
        return self.layer, self.backward

    @property
    def axes(self) -> int:
        return self.layer.axes

    def begin(self, x: Any) -> tuple[Any, Any]:
        forward, backward = self._both
        return forward.begin(x), backward.begin(x)

    def run(
        self, params: Any, xs: jax.Array, live: jax.Array | None, state: Any, key: Any
    ) -> tuple[tuple[Any, Any], jax.Array]:
        names = ("forward", "backward")
        each = zip(self._both, names, state, split(key, 2), strict=True)
        results = [
            layer.run(child(params, name), xs, live, first, key) for layer, name, first, key in each
        ]
        (forward, y), (backward, z) = results
        merged = {
            "concat": lambda: jnp.concatenate([y, z], -1),
            "sum": lambda: y + z,
            "mul": lambda: y * z,
            "ave": lambda: (y + z) / 2,
        }
        return (forward, backward), merged[self.merge]()


class _Stack(Loop):
    """Layers of one kind of cell, each given the outputs of the one below."""

    kind: ClassVar[type[Cell]]

    features: int
    _: KW_ONLY
    layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    activation: Activation = jax.nn.tanh
    bias: bool = True
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        what = type(self).__name__
        check_size(self.layers, f"layers of {what}")
        check_rate(self.dropout)
        if self.dropout and self.layers == 1:
            raise ValueError(
                f"dropout of {what} is between its layers, but layers=1; give more layers, or let "
                "Dropout follow"
            )
        if self.reverse and self.bidirectional:
            raise ValueError(
                f"reverse of {what} runs against time, but bidirectional=True runs both ways; "
                "choose one"
            )
        self._layer()  # which checks the other options

    def _layer(self) -> SequenceLayer:
        layer = self.recurrent(self.kind)
        return Bidirectional(layer) if self.bidirectional else layer

    def begin(self, x: Any) -> tuple[Any, ...]:
        return (self._layer().begin(x),) * self.layers

    def run(
        self, params: Any, xs: jax.Array, live: jax.Array | None, state: Any, key: Any
    ) -> tuple[tuple[Any, ...], jax.Array]:
        layer, states = self._layer(), []
        keys = split(key, 2 * self.layers)
        for i in range(self.layers):
            xs = dropout(xs, self.dropout, keys[2 * i]) if i else xs
            last, xs = layer.run(child(params, str(i)), xs, live, state[i], keys[2 * i + 1])
            states.append(last)
        return tuple(states), xs


class RNN(_Stack):
    """Plain recurrent layers: ``[..., T, I] -> [..., T, features]``, with cells ``RNNCell``.

    Options as in ``LSTM``; ``activation`` may be ``nn.relu``.

    >>> layer = RNN(4, activation=jax.nn.relu)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 3)))
    >>> layer(params, jnp.ones((2, 5, 3))).shape
    (2, 5, 4)
    """

    kind = RNNCell


class GRU(_Stack):
    """Layers of gated recurrent units: ``[..., T, I] -> [..., T, features]``, with ``GRUCell``.

    Options as in ``LSTM``; ``reset`` as in ``GRUCell``.

    >>> layer = GRU(4, bidirectional=True)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 3)))
    >>> layer(params, jnp.ones((2, 5, 3))).shape
    (2, 5, 8)
    """

    kind = GRUCell

    _: KW_ONLY
    reset: str = "after"
    recurrent_activation: Activation = jax.nn.sigmoid


class LSTM(_Stack):
    """Layers of long short-term memory: ``[..., T, I] -> [..., T, features]``, with ``LSTMCell``.

    ``layers`` of them stand one upon the other, with ``dropout`` between them in training calls.
    ``bidirectional`` runs each along and against time and gives both outputs, ``2 * features``;
    ``reverse`` runs against time only. ``projection`` and ``peepholes`` as in ``LSTMCell``.
    ``state`` is a tuple of one state a layer (a pair, if bidirectional). It and ``lengths``,
    ``scan`` and the remaining options as in ``Recurrent``. The layer at position ``i`` has its
    leaves under ``str(i)``, and if bidirectional there under ``"forward"`` and ``"backward"``.
    PyTorch's ``…_l{i}`` and ``…_l{i}_reverse`` become them as ``LSTMCell`` says.

    >>> layer = LSTM(4, layers=2)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 3)))
    >>> layer(params, jnp.ones((2, 5, 3))).shape
    (2, 5, 4)

    Step by step, as in generation:

    >>> state, y = layer.scan(params, jnp.ones((2, 1, 3)))
    >>> state, y = layer.scan(params, jnp.ones((2, 1, 3)), state)
    >>> state[1].hidden.shape
    (2, 4)
    """

    kind = LSTMCell

    _: KW_ONLY
    projection: int | None = None
    peepholes: bool = False
    recurrent_activation: Activation = jax.nn.sigmoid
