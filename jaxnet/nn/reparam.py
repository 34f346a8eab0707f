"""What reparametrisations share: a layer some of whose leaves are computed from others."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import jax

from jaxnet.core import tree
from jaxnet.core.blueprint import Blueprint, Initializer, Leaf
from jaxnet.core.checks import check_axes, check_float
from jaxnet.core.errors import describe, is_array
from jaxnet.core.layer import Layer
from jaxnet.nn.compose import check_parts


def check_kernel(x: jax.Array, what: str) -> None:
    """Raise unless ``x`` is a kernel: floating point, with at least two axes."""
    check_float(x, f"the {what}")
    check_axes(x, 2, f"the {what}")


def stack_axes(kernel: jax.Array, x: jax.Array, size: int, what: str) -> int:
    """How many axes stack kernels, as ``x [*stack, size]`` says."""
    if not is_array(x) or x.ndim < 1 or x.shape != (*kernel.shape[: x.ndim - 1], size):
        raise ValueError(
            f"the {what} must have the shape ({size},), or behind the axes by which kernels are "
            f"stacked, for the kernel {describe(kernel)}, but is {describe(x)}"
        )
    return x.ndim - 1


def configure(made: Layer, /, **fields: Any) -> None:
    """Set the fields of a frozen layer: the layer inside, the patterns, and options."""
    name = type(made).__name__
    check_parts((fields["layer"],), name)
    fields["patterns"] = fields["patterns"] or ("**/kernel",)
    for pattern in fields["patterns"]:
        if not isinstance(pattern, str):
            raise ValueError(
                f"{name} takes one layer and then patterns of its leaves, such as '**/kernel', "
                f"but was given {describe(pattern)}; put several layers in a Sequential"
            )
    for field, value in fields.items():
        object.__setattr__(made, field, value)
    made.__post_init__()


def parted(
    patterns: tuple[str, ...], params: Any, *derived: str
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """By path: the chosen leaves of the inner layer, all leaves of it, and all there are.

    ``derived`` are templates for the paths of what the outer layer adds to each chosen leaf.
    """
    if isinstance(params, Blueprint):
        start = f"{params.path}/" if params.path else ""
        asked = params.record.leaves.items()
        flat = {path.removeprefix(start): leaf for path, leaf in asked if path.startswith(start)}
    else:
        flat = tree.flatten(params)

    def without_derived(paths: Iterable[str]) -> dict[str, Any]:
        added = {template.format(path) for path in paths for template in derived}
        return {path: leaf for path, leaf in flat.items() if path not in added}

    candidates = without_derived(flat)
    named = tree.select(candidates, *patterns)
    chosen = {path: leaf for path, leaf in candidates.items() if named[path]}
    for path, leaf in chosen.items():
        if len(leaf.shape) < 2:
            raise ValueError(
                f"a kernel to normalise is [..., I, O], but the patterns {patterns} choose "
                f"{path!r} of shape {leaf.shape}; give narrower patterns, such as '**/kernel'"
            )
    return chosen, without_derived(chosen), flat


def ask(
    params: Blueprint,
    name: str,
    kernel: Leaf,
    shape: tuple[int, ...],
    made: Initializer,
    *,
    drawn_as: str,
) -> None:
    """Ask a blueprint for a leaf that is made from the value of ``kernel``, stacked like that."""
    start = f"{params.path}/" if params.path else ""
    leaf = dataclasses.replace(kernel, shape=shape, init=made, seed=start + drawn_as)
    params.record.leaves.setdefault(start + name, leaf)
