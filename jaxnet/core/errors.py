"""How the library words its errors: what was given, what was needed, the likely fix."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def describe(x: Any) -> str:
    """A value in a few characters: arrays as ``float32[2,5]``, anything else by its type.

    >>> describe(jnp.zeros((2, 5)))
    'float32[2,5]'
    """
    if is_array(x):
        return f"{x.dtype}[{','.join(map(str, x.shape))}]"
    if isinstance(x, dict):
        return "a dict with the keys " + listing(x) if x else "an empty dict"
    return repr(x) if isinstance(x, str | int | float | bool | None) else f"a {type(x).__name__}"


def brief(layer: Any, most: int = 60) -> str:
    """A layer's repr, cut where it is long.

    >>> brief((100000, 200000, 300000), 16)
    '(100000, 2000…)'
    """
    text = repr(layer)
    return text if len(text) <= most else f"{text[: most - 3]}…{text[-1]}"


def is_array(x: Any) -> bool:
    """Whether ``x`` has a shape and a dtype: an array, a tracer, or a ShapeDtypeStruct."""
    return hasattr(x, "shape") and hasattr(x, "dtype")


def listing(names: Iterable[Any], most: int = 8) -> str:
    """Names for a message, cut where there are many."""
    names = [repr(name) for name in names]
    shown = ", ".join(names[:most])
    return f"{shown}, … ({len(names)} in all)" if len(names) > most else shown or "none"


def near(name: str, names: Iterable[str]) -> str:
    """The end of a "no such name" message: the nearest names there are, or all of them."""
    names = list(names)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {listing(close)}?" if close else f"there are: {listing(names)}"


def check_key(key: Any) -> None:
    """Raise unless ``key`` is one typed random key."""
    dtype = getattr(key, "dtype", None)
    if dtype is None or not jnp.issubdtype(dtype, jax.dtypes.prng_key):
        raise ValueError(
            f"a random key was needed, but {describe(key)} was given; make one with "
            "jax.random.key(0)"
        )
    if key.shape:
        raise ValueError(
            f"one random key was needed, but an array of {key.shape} keys was given; "
            "take one of them, or map over them with jax.vmap"
        )


def check_float(x: Any, what: str) -> None:
    """Raise unless ``x`` is a floating-point array."""
    if not is_array(x):
        raise ValueError(f"{what} must be an array, but is {describe(x)}; wrap it: jnp.asarray(x)")
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise ValueError(
            f"{what} must be floating point, but is {describe(x)}; "
            "convert it: x.astype(jnp.float32) (and scale images, as in x / 255)"
        )


def check_axes(x: Any, least: int, what: str) -> None:
    """Raise unless ``x`` has at least ``least`` axes."""
    if x.ndim < least:
        raise ValueError(
            f"{what} needs at least {least} axes, but is {describe(x)}; "
            "the last axis holds the features, a batch goes before it"
        )


def check_size(value: Any, what: str, *, least: int = 1) -> None:
    """Raise unless ``value`` is an int of at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{what} must be an int of at least {least}, but is {describe(value)}")


def seen(x: Any) -> np.ndarray | None:
    """The values of ``x`` where they can be looked at; None while JAX is tracing them.

    NumPy's, since under ``jit`` whatever JAX computes is traced, even from values that are known.
    """
    try:
        return np.asarray(x)
    except jax.errors.TracerArrayConversionError:
        return None


def misfits(given: Mapping[str, Any], needed: Mapping[str, Any], *, complete: bool) -> str:
    """One line a leaf that is missing, of another shape or, if ``complete``, not needed."""
    lines = []
    for path, spec in needed.items():
        leaf = given.get(path)
        if leaf is None:
            lines.append(f"  missing     {path}: needs {describe(spec)}")
        elif not is_array(leaf):
            lines.append(f"  no array    {path}: given {describe(leaf)}, needs {describe(spec)}")
        elif tuple(leaf.shape) != tuple(spec.shape):
            lines.append(f"  mismatch    {path}: given {describe(leaf)}, needs {describe(spec)}")
    if complete:
        extra = [path for path in given if path not in needed and "taps" not in path.split("/")]
        lines += [f"  unexpected  {path}: given {describe(given[path])}" for path in extra]
    return "\n".join(lines)
