"""A random key as a field of a state, which is kept as its words.

A dispatch takes typed keys apart in Python, which would last longer than a small step.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax

from jaxnet.core.dtypes import is_key
from jaxnet.core.errors import is_array


class _KeyField:
    """What is no key, such as a sharding in the place of one, is kept as it is."""

    def __get__(self, state: Any, owner: type | None = None) -> Any:
        if state is None:
            raise AttributeError("key")  # or the field would have a default
        words, generator = vars(state)["words"], vars(state)["generator"]
        wrap = functools.partial(jax.random.wrap_key_data, impl=generator)
        return _result(wrap, words) if is_array(words) else words

    def __set__(self, state: Any, key: Any) -> None:
        vars(state).update(words=key, generator="threefry2x32")

        def words(key: jax.Array) -> jax.Array:
            vars(state).update(generator=str(jax.random.key_impl(key)))
            return jax.random.key_data(key)

        if is_array(key) and is_key(key):
            vars(state).update(words=_result(words, key))


# The field of a frozen dataclass, which reads as a typed key and is kept as two attributes.
KEY: Any = _KeyField()


def words_of(state: Any) -> jax.Array:
    """The words of a state's key, without making that first."""
    return vars(state)["words"]


def as_words(leaf: Any, place: Any) -> Any:
    """A random key as its words, if those are what is in its place; anything else as it is."""
    if is_array(leaf) and is_key(leaf) and is_array(place) and not is_key(place):
        return _result(jax.random.key_data, leaf)
    return leaf


def _result(fn: Callable[[Any], Any], x: Any) -> Any:
    return jax.eval_shape(fn, x) if isinstance(x, jax.ShapeDtypeStruct) else fn(x)
