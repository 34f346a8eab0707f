"""A layer is a value you can call: configuration in a frozen dataclass, parameters in a dict.

``y = layer(params, x, *, key=None)`` is a pure function; a key makes it a training call.
Subclass ``Layer`` for a layer with options, or decorate a plain function with ``layer``.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, dataclass_transform

import jax

from jaxnet.core.blueprint import Initializer
from jaxnet.core.errors import describe, is_array
from jaxnet.core.explain import explained
from jaxnet.core.init import init


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
class Layer:
    """Base of all layers: subclasses become frozen, hashable dataclasses.

    Fields hold configuration only: sizes, options, other layers; never arrays or lists.

    >>> class Scale(Layer):
    ...     factor: float
    ...     def __call__(self, params, x, *, key=None):
    ...         return self.factor * x
    >>> Scale(2.0), Scale(2.0)({}, 3.0)
    (Scale(2.0), 6.0)
    """

    if TYPE_CHECKING:
        # Subclasses choose their own inputs after params.
        __call__: Callable[..., Any]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        dataclasses.dataclass(frozen=True, repr=False)(cls)
        if "__call__" in cls.__dict__:
            cls.__call__ = explained(cls.__call__)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # pyright: ignore[reportArgumentType]
            value = getattr(self, field.name)
            try:
                hash(value)
            except TypeError:
                fix = "make it a param" if is_array(value) else "give a tuple instead"
                raise ValueError(
                    f"{type(self).__name__}.{field.name} is {describe(value)}, but a layer holds "
                    f"hashable configuration only: {fix}"
                ) from None

    def __repr__(self) -> str:
        parts = []
        fields = dataclasses.fields(self)  # pyright: ignore[reportArgumentType]
        # A subclass has the options of its base before its own sizes.
        for field in sorted(fields, key=lambda field: field.kw_only is True):
            value = getattr(self, field.name)
            if field.default is dataclasses.MISSING or value != field.default:
                text = getattr(value, "__name__", None) or repr(value)
                parts.append(f"{field.name}={text}" if field.kw_only else text)
        return f"{type(self).__name__}({', '.join(parts)})"

    def init(
        self,
        key: jax.Array,
        /,
        *inputs: Any,
        out_shardings: Any = None,
        initializers: Mapping[str, Initializer] | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Parameters for a call on such inputs: ``jaxnet.init`` of this layer."""
        options |= {"out_shardings": out_shardings, "initializers": initializers}
        return init(self, key, *inputs, **options)


class FunctionLayer[**P, R](Layer):
    """A plain function ``fn(params, x, *, key=None)`` as a layer."""

    fn: Callable[Concatenate[Any, P], R]

    def __call__(self, params: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.fn(params, *args, **kwargs)

    def __repr__(self) -> str:
        return self.fn.__name__


def layer[**P, R](fn: Callable[Concatenate[Any, P], R]) -> FunctionLayer[P, R]:
    """Make a layer of a plain function, so that it has ``init`` and explains its errors.

    >>> @layer
    ... def double(params, x, *, key=None):
    ...     return 2 * x
    >>> double({}, 3)
    6
    """
    return FunctionLayer(fn)
