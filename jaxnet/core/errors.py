"""How the library words its errors: what was given, what was needed, the likely fix."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np


def describe(x: Any) -> str:
    """A value in a few characters: arrays as ``float32[2,5]``, anything else by its type.

    >>> describe(np.zeros((2, 5)))
    'float64[2,5]'
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
