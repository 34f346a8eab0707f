"""What the members of one program are made from, and what is said where they cannot be one."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.errors import describe, is_array, listing, near


def checked_axis(name: str, axis: Any) -> np.ndarray:
    """The values of an axis; raises unless they are some finite numbers that JAX can hold."""
    try:
        values = np.asarray(axis)
    except (TypeError, ValueError):
        values = np.asarray(None)
    if values.ndim != 1 or (values.size and values.dtype.kind not in "biuf"):
        given = listing(axis, 4) if isinstance(axis, list | tuple) else describe(axis)
        raise ValueError(
            f"the axis {name!r} must be a sequence of numbers, such as [1e-3, 1e-2], but is "
            f"{given}; for what is no number, such as a name or a layer, take a sweep for each "
            "value, and for random keys an axis of seeds: jax.random.key(seed)"
        )
    if not values.size:
        raise ValueError(f"the axis {name!r} is empty; give it at least one value")
    with np.errstate(over="ignore"):
        held = values.astype(jax.dtypes.canonicalize_dtype(values.dtype))
    if not np.isfinite(held).all() or (values.dtype.kind in "iu" and (held != values).any()):
        raise ValueError(
            f"the axis {name!r} has values that are not finite numbers of {held.dtype}, in which "
            f"JAX computes; it is {listing(values.tolist(), 4)}"
        )
    return values


def check_arguments(run: Callable[..., Any], axes: Mapping[str, Any]) -> None:
    """Raise unless ``run`` takes the axes as arguments, and needs no others."""
    if not axes:
        raise ValueError("a sweep needs an axis, such as lr=[1e-3, 1e-2] or seed=range(8)")
    parameters = inspect.signature(run).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for name in axes:
        if name not in names:
            raise ValueError(f"run takes no argument {name!r}; {near(name, names)}")
    missing = [p.name for p in parameters if p.default is p.empty and p.name not in axes]
    if missing:
        raise ValueError(
            f"run needs the arguments {listing(missing)} too; give each an axis, such as "
            f"{missing[0]}=[…], or its value: functools.partial(run, {missing[0]}=…)"
        )


def checked_result(result: Any) -> dict[str, Any]:
    """What ``run`` returned; raises unless it is a dict of numbers and arrays, or trees of them."""
    if not isinstance(result, dict) or not result:
        raise ValueError(
            f"run must return a dict of results, such as {{'accuracy': …}}, but returned "
            f"{describe(result)}"
        )
    for path, leaf in jax.tree_util.tree_leaves_with_path(result):
        if not is_array(leaf) and not isinstance(leaf, int | float):
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            raise ValueError(
                f"run must return numbers and arrays, but {name!r} is {describe(leaf)}; leave it "
                "out, or give it to run from outside"
            )
    return result


def compiled(
    program: jax.stages.Wrapped,
    arguments: tuple[Any, ...],
    run: Callable[..., Any],
    axes: Mapping[str, np.ndarray],
) -> jax.stages.Compiled:
    """A program for its arguments; raises naming the axes where it is they that cannot be traced.

    They cannot if ``run``, called on the first member alone, works only with plain numbers there.
    """
    first = {name: axis[0].item() for name, axis in axes.items()}

    def works(*plain: str) -> bool:
        traced = {name: jnp.asarray(x) for name, x in first.items() if name not in plain}
        known = {name: first[name] for name in plain}
        try:
            jax.eval_shape(lambda traced: run(**traced, **known), traced)
        except Exception:
            return False
        return True

    try:
        return program.lower(*arguments).compile()
    except Exception as error:
        guilty = [name for name in first if works(name)] or list(first)
        if works() or not works(*guilty):
            raise
        raise ValueError(
            f"the members are one program, but this one is made by the value of "
            f"{listing(guilty)}: a shape, a size or a Python `if` depends on it; compute with "
            f"jnp.where, or take a sweep for each value: {{x: sweep(functools.partial(run, "
            f"{guilty[0]}=x), …) for x in …}}"
        ) from error
