"""Recurrent cells: ``cell(params, state, x) -> (state, y)``, one step as ``lax.scan`` wants it.

``state`` is what the next step sees and ``y`` what the next layer does. ``recurrent.py`` runs cells
over sequences. One bias stands for PyTorch's two, whose sum is all that counts.
"""

from dataclasses import KW_ONLY
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import Initializer, child, param, split
from jaxnet.core.checks import check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.nn import initializers, recurrence
from jaxnet.nn.cell import (
    FORGET_ONE,
    Activation,
    Blocks,
    Cell,
    check_activation,
    recurrent_initializer,
)
from jaxnet.nn.linear import linear


class LSTMState(NamedTuple):
    """What an LSTM hands on: ``hidden [..., H]``, its last output, and ``cell [..., H]``."""

    hidden: jax.Array
    cell: jax.Array


class _Gated(Cell):
    """What the cells on vectors share: ``[..., I], [..., H]`` to all gates ``[..., gates * H]``."""

    gates: ClassVar[int]

    features: int
    _: KW_ONLY
    activation: Activation = jax.nn.tanh
    bias: bool = True
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.features, f"features of {type(self).__name__}")
        check_activation(self.activation, f"activation of {type(self).__name__}")

    def initial(self, x: Any) -> Any:
        return jnp.zeros((*x.shape[:-1], self.features), x.dtype)

    def project(self, params: Any, x: jax.Array) -> jax.Array:
        return linear(x, *self._affine(params, x))

    def _affine(self, params: Any, x: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        size = self.gates * self.features
        kernel_init, _ = initializers.affine(self.initializer, self.features)
        kernel = param(params, "kernel", (x.shape[-1], size), kernel_init)
        bias = param(params, "bias", (size,), self._bias_initializer()) if self.bias else None
        return kernel, bias

    def _bias_initializer(self) -> Initializer:
        return initializers.affine(self.initializer, self.features)[1]

    def _recurrent(self, params: Any, features: int) -> jax.Array:
        init = recurrent_initializer(self.initializer, self.features, self.gates)
        return param(params, "recurrent", (features, self.gates * self.features), init)

    def _recurrent_bias(self, params: Any) -> jax.Array:
        """Of a gate whose recurrent part is scaled before the sum: so its bias stands apart."""
        init = initializers.affine(self.initializer, self.features)[1]
        return param(params, "recurrent_bias", (self.features,), init)

    def _along(
        self,
        rule: recurrence.Rule,
        params: Any,
        state: Any,
        xs: jax.Array,
        reverse: bool,
        recurrent_bias: jax.Array | None = None,
    ) -> Any:
        recurrent = self._recurrent(params, self.features)
        weights = recurrence.Weights(*self._affine(params, xs), recurrent, recurrent_bias)
        leaves, structure = jax.tree.flatten(state)
        dtypes = {x.dtype for x in jax.tree.leaves((weights, xs, leaves))}
        if jax.default_backend() != "cpu" or dtypes != {at_least_float32(xs)}:
            return None
        last, ys = recurrence.along(rule, reverse, weights, xs, tuple(leaves))
        return structure.unflatten(last), ys

    def _biased(self, params: Any, product: jax.Array) -> jax.Array:
        if not self.bias:
            return product
        bias = self._recurrent_bias(params).astype(product.dtype)
        return product + jnp.broadcast_to(bias, product.shape)


class RNNCell(_Gated):
    """A plain recurrent step, ``h' = activation(x W + h R + b)``: ``[..., I] -> [..., features]``.

    The state is ``h [..., H]`` (H is ``features``), and ``y`` is ``h'``. Leaves ``kernel [I, H]``,
    ``recurrent [H, H]`` and, unless switched off, ``bias [H]``. ``initializer`` is ``"torch"``
    (all uniform within 1/sqrt(H)), ``"keras"`` or ``"flax"`` (those of ``Linear``, recurrent
    kernels orthogonal), or one for both kernels.
    From PyTorch: ``weight_ih.T``, ``weight_hh.T``, ``bias_ih + bias_hh``.

    >>> cell = RNNCell(4)
    >>> x = jnp.ones((2, 3))
    >>> params = cell.init(jax.random.key(0), cell.initial(x), x)
    >>> state, y = cell(params, cell.initial(x), x)
    >>> y.shape
    (2, 4)
    """

    gates = 1

    def step(
        self, params: Any, state: jax.Array, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        product = _product(state, self._recurrent(params, self.features))
        h = self.activation(x.astype(product.dtype) + product)
        return h.astype(state.dtype), h.astype(x.dtype)


class GRUCell(_Gated):
    """A gated recurrent unit (arXiv:1406.1078): ``[..., I] -> [..., features]``.

    ``r, z = sigmoid(x W_rz + h R_rz + b_rz)``, ``n = tanh(x W_n + b_n + r * (h R_n + c))`` and
    ``h' = (1 - z) * n + z * h``, or with ``reset="before"`` the matrix product
    ``n = tanh(x W_n + b_n + (r * h) R_n)``. The state is ``h [..., H]``, and ``y`` is ``h'``.
    ``activation`` stands for the tanh and ``recurrent_activation`` for the sigmoid.

    Leaves, with the gates in the order r, z, n: ``kernel [I, 3H]``, ``recurrent [H, 3H]`` and,
    unless switched off, ``bias [3H]`` and for ``reset="after"`` ``recurrent_bias [H]``, the c.
    ``initializer`` as in ``RNNCell``. From PyTorch: ``weight_ih.T``, ``weight_hh.T``, ``bias_ih``
    with ``bias_hh`` added to r and z, and the n of ``bias_hh``. Keras has the order z, r, n.

    >>> cell = GRUCell(4)
    >>> x = jnp.ones((2, 3))
    >>> params = cell.init(jax.random.key(0), cell.initial(x), x)
    >>> jax.tree.map(jnp.shape, params)
    {'bias': (12,), 'kernel': (3, 12), 'recurrent': (4, 12), 'recurrent_bias': (4,)}
    """

    gates = 3

    _: KW_ONLY
    reset: str = "after"
    recurrent_activation: Activation = jax.nn.sigmoid

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.recurrent_activation, "recurrent_activation of GRUCell")
        if self.reset not in ("after", "before"):
            raise ValueError(
                "reset of GRUCell must be 'after' or 'before', which is when the reset gate acts: "
                f"after the matrix product (as in PyTorch) or before it, but is {self.reset!r}"
            )

    def step(
        self, params: Any, state: jax.Array, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        recurrent = self._recurrent(params, self.features)
        wide, cut = at_least_float32(x), [2 * self.features]
        h, (x_rz, x_n) = state.astype(wide), jnp.split(x.astype(wide), cut, -1)
        if self.reset == "before":
            to_rz, to_n = jnp.split(recurrent, cut, -1)
            r, z = jnp.split(self.recurrent_activation(x_rz + _product(state, to_rz)), 2, -1)
            n = self.activation(x_n + _product(r * h, to_n))
        else:
            rz, n = jnp.split(_product(state, recurrent), cut, -1)
            r, z = jnp.split(self.recurrent_activation(x_rz + rz), 2, -1)
            n = self.activation(x_n + r * self._biased(params, n))
        h = (1 - z) * n + z * h
        return h.astype(state.dtype), h.astype(x.dtype)

    def along(self, params: Any, state: jax.Array, xs: jax.Array, reverse: bool) -> Any:
        if self.reset == "before" or not _usual(self):
            return None
        bias = jnp.pad(self._recurrent_bias(params), (2 * self.features, 0)) if self.bias else None
        return self._along(recurrence.GRU, params, state, xs, reverse, bias)


class MinimalGatedCell(_Gated):
    """A gated unit with one gate (arXiv:1603.09420), as in Flax: ``[..., I] -> [..., features]``.

    ``f = sigmoid(x W_f + h R_f + b_f)``, ``n = tanh(x W_n + b_n + f * (h R_n + c))`` and
    ``h' = (1 - f) * n + f * h``. The state is ``h [..., H]``, and ``y`` is ``h'``.
    Leaves, with f before n: ``kernel [I, 2H]``, ``recurrent [H, 2H]`` and, unless switched off,
    ``bias [2H]`` and ``recurrent_bias [H]``, the c. ``initializer`` as in ``RNNCell``, and
    ``"flax"`` starts with ones for ``b_f``.

    >>> cell = MinimalGatedCell(4)
    >>> x = jnp.ones((2, 3))
    >>> params = cell.init(jax.random.key(0), cell.initial(x), x)
    >>> params["kernel"].shape
    (3, 8)
    """

    gates = 2

    def _bias_initializer(self) -> Initializer:
        if self.initializer == "flax":
            return Blocks((initializers.ones, initializers.zeros))
        return super()._bias_initializer()

    def step(
        self, params: Any, state: jax.Array, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        wide = at_least_float32(x)
        f, n = jnp.split(_product(state, self._recurrent(params, self.features)), 2, -1)
        x_f, x_n = jnp.split(x.astype(wide), 2, -1)
        f = jax.nn.sigmoid(x_f + f)
        n = self.activation(x_n + f * self._biased(params, n))
        h = (1 - f) * n + f * state.astype(wide)
        return h.astype(state.dtype), h.astype(x.dtype)


class LSTMCell(_Gated):
    """Long short-term memory (doi:10.1162/neco.1997.9.8.1735): ``[..., I] -> [..., features]``.

    ``i, f, o = sigmoid(…)`` and ``g = tanh(…)`` of the gates ``x W + h R + b``; then
    ``c' = f * c + i * g`` and ``h' = o * tanh(c')``. The state is ``LSTMState(h, c)``, or a pair,
    and ``y`` is ``h'``. ``projection=P`` makes ``h' = (o * tanh(c')) Q`` with P features
    (arXiv:1402.1128). ``peepholes`` adds ``p_i * c`` to gate i, ``p_f * c`` to f and ``p_o * c'``
    to o. ``activation`` stands for both tanh and ``recurrent_activation`` for the sigmoid.

    Leaves, with the gates in the order i, f, g, o: ``kernel [I, 4H]``, ``recurrent [H or P, 4H]``,
    unless switched off ``bias [4H]``, and if asked for ``projection [H, P]`` and
    ``peephole [3, H]`` (i, f, o). ``initializer`` as in ``RNNCell``; ``"keras"`` starts with ones
    for the bias of f. From PyTorch: ``weight_ih.T``, ``weight_hh.T``, ``bias_ih + bias_hh``,
    ``weight_hr.T``. Keras has the same order, ONNX i, o, f, g.

    >>> cell = LSTMCell(4)
    >>> x = jnp.ones((2, 3))
    >>> params = cell.init(jax.random.key(0), cell.initial(x), x)
    >>> state, y = cell(params, cell.initial(x), x)
    >>> state.cell.shape, y.shape
    ((2, 4), (2, 4))
    """

    gates = 4

    _: KW_ONLY
    projection: int | None = None
    peepholes: bool = False
    recurrent_activation: Activation = jax.nn.sigmoid

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.recurrent_activation, "recurrent_activation of LSTMCell")
        if self.projection is not None:
            check_size(self.projection, "projection of LSTMCell")

    def initial(self, x: Any) -> LSTMState:
        hidden = jnp.zeros((*x.shape[:-1], self.projection or self.features), x.dtype)
        return LSTMState(hidden, super().initial(x))

    def _bias_initializer(self) -> Initializer:
        return FORGET_ONE if self.initializer == "keras" else super()._bias_initializer()

    def step(
        self, params: Any, state: LSTMState, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[LSTMState, jax.Array]:
        init, small = initializers.affine(self.initializer, self.features)
        size = self.projection or self.features
        product = _product(state.hidden, self._recurrent(params, size))
        peephole = param(params, "peephole", (3, self.features), small) if self.peepholes else None
        gates = x.astype(product.dtype) + product
        y, cell = lstm(gates, state.cell, self.activation, self.recurrent_activation, peephole)
        y = y.astype(x.dtype)
        if self.projection is not None:
            y = linear(y, param(params, "projection", (self.features, self.projection), init))
        return LSTMState(y.astype(state.hidden.dtype), cell.astype(state.cell.dtype)), y

    def along(self, params: Any, state: LSTMState, xs: jax.Array, reverse: bool) -> Any:
        if self.projection is not None or self.peepholes or not _usual(self):
            return None
        return self._along(recurrence.LSTM, params, state, xs, reverse)


def lstm(
    z: jax.Array,
    cell: jax.Array,
    activation: Activation = jax.nn.tanh,
    recurrent_activation: Activation = jax.nn.sigmoid,
    peephole: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Output and next cell of an LSTM: gates ``z [..., 4H]`` (i, f, g, o) and ``cell [..., H]``.

    Computed in at least float32.

    >>> lstm(jnp.zeros(4), jnp.ones(1))
    (Array([0.231], dtype=float32), Array([0.5], dtype=float32))
    """
    wide = at_least_float32(z)
    cell = cell.astype(wide)
    i, f, g, o = jnp.split(z.astype(wide), 4, -1)
    sees = [] if peephole is None else [jnp.broadcast_to(p, cell.shape) for p in peephole]
    if sees:
        i, f = i + sees[0].astype(wide) * cell, f + sees[1].astype(wide) * cell
    cell = recurrent_activation(f) * cell + recurrent_activation(i) * activation(g)
    if sees:
        o = o + sees[2].astype(wide) * cell
    return recurrent_activation(o) * activation(cell), cell


def _usual(cell: GRUCell | LSTMCell) -> bool:
    activations = (cell.activation, cell.recurrent_activation)
    return activations == (jax.nn.tanh, jax.nn.sigmoid)


def _product(hidden: jax.Array, recurrent: jax.Array) -> jax.Array:
    """``hidden @ recurrent``, to go on in at least float32."""
    product = linear(hidden.astype(recurrent.dtype), recurrent)
    return product.astype(at_least_float32(product))


class StackedCells(Cell):
    """Cells one upon the other as one cell: each is given the ``y`` of the one below.

    The state is a tuple of theirs. The cell at position ``i`` has its leaves under ``str(i)``.

    >>> cell = StackedCells(LSTMCell(4), GRUCell(5))
    >>> x = jnp.ones((2, 3))
    >>> params = cell.init(jax.random.key(0), cell.initial(x), x)
    >>> state, y = cell(params, cell.initial(x), x)
    >>> y.shape
    (2, 5)
    """

    cells: tuple[Cell, ...]

    def __init__(self, *cells: Cell) -> None:
        for cell in cells:
            if not isinstance(cell, Cell):
                raise ValueError(
                    f"StackedCells takes cells one by one, such as LSTMCell(8), but was given "
                    f"{cell!r}; layers of sequences go into a Sequential"
                )
        if not cells:
            raise ValueError("StackedCells needs at least one cell, such as LSTMCell(8)")
        object.__setattr__(self, "cells", cells)
        self.__post_init__()

    def __repr__(self) -> str:
        return f"StackedCells({', '.join(map(repr, self.cells))})"

    @property
    def axes(self) -> int:
        return self.cells[0].axes

    def initial(self, x: Any) -> tuple[Any, ...]:
        return tuple(cell.initial(x) for cell in self.cells)

    def project(self, params: Any, x: jax.Array) -> Any:
        return self.cells[0].project(child(params, "0"), x)

    def step(
        self, params: Any, state: Any, x: Any, *, key: jax.Array | None = None
    ) -> tuple[tuple[Any, ...], jax.Array]:
        keys = split(key, len(self.cells))
        first, y = self.cells[0].step(child(params, "0"), state[0], x, key=keys[0])
        states = [first]
        for i, cell in enumerate(self.cells[1:], 1):
            new, y = cell(child(params, str(i)), state[i], y, key=keys[i])
            states.append(new)
        return tuple(states), y
