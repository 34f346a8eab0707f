"""Layers side by side on one input."""

import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_choice
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn.compose import calls, check_parts, list_parts

_MERGES: dict[str, Callable[[Any, Any], Any]] = {
    "sum": operator.add,
    "mean": operator.add,
    "product": operator.mul,
    "max": jnp.maximum,
    "min": jnp.minimum,
}


class Branches(Layer):
    """Several layers on the same input, and their outputs merged: ``[..., I] -> [..., O]``.

    ``merge`` is ``"concatenate"`` (on the last axis), ``"sum"``, ``"mean"``, ``"product"``,
    ``"max"``, ``"min"``, or a function of all outputs. Plain functions of ``x`` stand among the
    layers as they are, and the layer at position ``i`` has its leaves under ``str(i)``.
    Raises ValueError without branches, for an unknown ``merge`` and, since nothing broadcasts, for
    outputs of different shapes (but for the last axis, where they are concatenated).

    >>> Branches(jax.nn.relu, jnp.negative, merge="sum")({}, jnp.array([-2.0, 3.0]))
    Array([2., 0.], dtype=float32)
    """

    layers: tuple[Callable[..., Any], ...]
    merge: str | Callable[..., Any]

    def __init__(
        self, *layers: Callable[..., Any], merge: str | Callable[..., Any] = "concatenate"
    ) -> None:
        if not callable(merge):
            check_choice(merge, ("concatenate", *_MERGES), "merge", "Branches")
        if not layers:
            raise ValueError("Branches needs at least one layer, but was given none")
        check_parts(layers, "Branches")
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "merge", merge)
        self.__post_init__()

    def __repr__(self) -> str:
        end = "" if self.merge == "concatenate" else f", merge={self.merge!r}"
        return f"Branches({list_parts(self.layers)}{end})"

    def __call__(self, params: Any, x: Any, *, key: jax.Array | None = None) -> Any:
        outputs = [call(x) for call in calls(self.layers, params, key, "Branches")]
        if callable(self.merge):
            return self.merge(*outputs)
        if self.merge == "concatenate":
            self._check({y.shape[:-1] for y in outputs}, outputs)
            return jnp.concatenate(outputs, -1)
        self._check({y.shape for y in outputs}, outputs)
        y = functools.reduce(_MERGES[self.merge], outputs)
        return y / len(outputs) if self.merge == "mean" else y

    def _check(self, shapes: set[Any], outputs: list[Any]) -> None:
        if len(shapes) > 1:
            raise ValueError(
                f"Branches with merge={self.merge!r} needs outputs of one shape, but its branches "
                f"made {', '.join(map(describe, outputs))}; give the layers equal features and "
                "padding='SAME', or a merge function of your own"
            )
