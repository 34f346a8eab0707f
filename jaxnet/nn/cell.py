"""What recurrent cells are: one step of a recurrence, and what it starts from."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import Initializer
from jaxnet.core.checks import check_axes, check_float
from jaxnet.core.errors import describe, is_array
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers

type Activation = Callable[[jax.Array], jax.Array]


class Cell(Layer):
    """One step of a recurrence: ``cell(params, state, x, *, key=None) -> (state, y)``.

    A subclass has two methods: ``initial(x)``, the state before a first input ``x [..., I]`` (of
    which only shape and dtype count), and ``step(params, state, x, *, key=None)``. What depends on
    the input alone may be a third, ``project(params, x)``, of which ``step`` is then given the
    result: over a sequence it is computed for all steps at once.
    Raises ValueError if the state has other shapes than ``initial(x)``.

    >>> class Sum(Cell):
    ...     def initial(self, x):
    ...         return jnp.zeros(x.shape, x.dtype)
    ...     def step(self, params, state, x, *, key=None):
    ...         return state + x, state + x
    >>> Sum()({}, jnp.ones(2), jnp.ones(2))
    (Array([2., 2.], dtype=float32), Array([2., 2.], dtype=float32))
    """

    @property
    def axes(self) -> int:
        """How many axes one input has behind those of the batch."""
        return 1

    def initial(self, x: Any) -> Any:
        raise NotImplementedError

    def project(self, params: Any, x: jax.Array) -> Any:
        return x

    def step(
        self, params: Any, state: Any, x: Any, *, key: jax.Array | None = None
    ) -> tuple[Any, jax.Array]:
        raise NotImplementedError

    def along(self, params: Any, state: Any, xs: jax.Array, reverse: bool) -> Any:
        """The last state and all outputs, if there is a faster way than step by step, or None."""
        return None

    def __call__(
        self, params: Any, state: Any, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[Any, jax.Array]:
        what = type(self).__name__
        check_float(x, f"the input of {what}")
        check_axes(x, self.axes, f"the input of {what}")
        state = fitting(state, jax.eval_shape(self.initial, x), what)
        return self.step(params, state, self.project(params, x), key=key)


def fitting(state: Any, needed: Any, what: str) -> Any:
    """``state`` in the structure of ``needed``; raises unless its arrays have the same shapes."""
    leaves, structure = jax.tree.flatten(needed)
    given = jax.tree.leaves(state)
    if [_kind(x) for x in given] != [_kind(x) for x in leaves]:
        raise ValueError(
            f"the state of {what} is {', '.join(map(describe, given)) or 'empty'}, but must be "
            f"{', '.join(map(describe, leaves))}; start from {what}(…).initial(x) and hand on "
            "what the last call returned"
        )
    return structure.unflatten(given)


def _kind(x: Any) -> Any:
    return (x.shape, jnp.issubdtype(x.dtype, jnp.floating)) if is_array(x) else None


def check_activation(value: Any, what: str) -> None:
    """Raise unless ``value`` is a function."""
    if not callable(value):
        raise ValueError(f"{what} must be a function of x such as nn.relu, but is {value!r}")


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Equal blocks along the last axis, one for each gate, each with an initializer of its own."""

    inits: tuple[Initializer, ...]

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        block = (*shape[:-1], shape[-1] // len(self.inits))
        keys = jax.random.split(key, len(self.inits))
        parts = [init(key, block, dtype) for init, key in zip(self.inits, keys, strict=True)]
        return jnp.concatenate(parts, -1)


_orthogonal = jax.nn.initializers.orthogonal()
FORGET_ONE = Blocks((initializers.zeros, initializers.ones, *[initializers.zeros] * 2))


def recurrent_initializer(init: initializers.Init, fan_in: int, gates: int) -> Initializer:
    """What the recurrent kernel starts from: the kernel's initializer, or orthogonal by preset."""
    if init == "keras":
        return _orthogonal
    if init == "flax":
        return Blocks((_orthogonal,) * gates)
    return initializers.affine(init, fan_in)[0]
