"""A linear map that an equation describes."""

import math
import re
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_float, check_size
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers

_EQUATION = re.compile(r"(\.\.\.)?([a-zA-Z]*),([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]*)")


class Einsum(Layer):
    """``jnp.einsum(equation, x, kernel) + bias``, with a learnt kernel.

    The kernel has one axis a letter. Sizes of letters that it shares with ``x`` are those of
    ``x``; ``features`` are the others, in the kernel's order. ``bias`` names the output's letters
    that a bias has (none by default); along the others it is the same.
    Leaves ``kernel`` and, with letters, ``bias``. ``initializer`` is a preset (``"torch"``,
    ``"keras"``, ``"flax"``) or the kernel's, with a bias of zeros; it draws the kernel as a matrix,
    whose rows are what is summed over.
    Raises ValueError for an equation of another form, for letters without a size, and for an
    input whose axes the equation does not describe.

    >>> layer = Einsum("...td,dhk->...thk", (4, 8), bias="hk")
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 7, 16)))
    >>> params["kernel"].shape, layer(params, jnp.ones((2, 7, 16))).shape
    ((16, 4, 8), (2, 7, 4, 8))
    """

    equation: str
    features: int | tuple[int, ...] = ()
    _: KW_ONLY
    bias: str = ""
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        match = _EQUATION.fullmatch(self.equation)
        if match is None or match[1] != match[4]:
            raise ValueError(
                "equation of Einsum must name the axes of x, of the kernel and of the output, as "
                f"'...td,dhk->...thk' does, but is {self.equation!r}"
            )
        _, inputs, kernel, _, outputs = match.groups()
        if lost := set(outputs) - set(inputs + kernel):
            raise ValueError(
                f"equation {self.equation!r} of Einsum has {sorted(lost)} in its output only; "
                "give them to the kernel"
            )
        new = [letter for letter in kernel if letter not in inputs]
        for size in self._features():
            check_size(size, "features of Einsum")
        if len(new) != len(self._features()):
            raise ValueError(
                f"features of Einsum must be the sizes of {new}, the letters of the kernel that x "
                f"does not have in {self.equation!r}, but are {self._features()}"
            )
        if extra := set(self.bias) - set(outputs):
            raise ValueError(
                f"bias of Einsum must be letters of the output in {self.equation!r}, but has "
                f"{sorted(extra)}"
            )

    def __call__(self, params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        check_float(x, "the input of Einsum")
        match: Any = _EQUATION.fullmatch(self.equation)
        dots, inputs, letters, _, outputs = match.groups()
        if x.ndim < len(inputs) or (x.ndim > len(inputs) and not dots):
            raise ValueError(
                f"the input of Einsum has the axes {(dots or '') + inputs!r} in {self.equation!r}, "
                f"but is {describe(x)}; '...' stands for any batch axes"
            )
        sizes = dict(zip(inputs, x.shape[x.ndim - len(inputs) :], strict=True))
        new = (letter for letter in letters if letter not in inputs)
        sizes |= dict(zip(new, self._features(), strict=True))
        fan_in = math.prod(sizes[letter] for letter in letters if letter not in outputs)
        kernel_init, bias_init = initializers.affine(self.initializer, fan_in)
        kernel_init = initializers.Flat(kernel_init, fan_in)
        kernel = param(params, "kernel", tuple(sizes[letter] for letter in letters), kernel_init)
        y = jnp.einsum(self.equation, x, kernel)
        if not self.bias:
            return y
        own = tuple(sizes[letter] for letter in outputs if letter in self.bias)
        bias = param(params, "bias", own, bias_init)
        apart = (sizes[letter] if letter in self.bias else 1 for letter in outputs)
        return y + jnp.broadcast_to(bias.reshape(*apart), y.shape)

    def _features(self) -> tuple[int, ...]:
        return self.features if isinstance(self.features, tuple) else (self.features,)
