"""The learnt maps of multi-head attention: from features to heads, and back."""

import dataclasses
import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import Initializer, child
from jaxnet.core.checks import check_size
from jaxnet.core.errors import brief
from jaxnet.core.layer import Layer
from jaxnet.nn.initializers import Init, Uniform, affine
from jaxnet.nn.linear import Linear
from jaxnet.nn.rotary import Rotary


class Heads(Layer):
    """Options of the maps of ``MultiHeadAttention``, where their meaning is, and the maps."""

    heads: int
    _: KW_ONLY
    head_size: int | None = None
    value_size: int | None = None
    groups: int | None = None
    features: int | None = None
    fused: bool = False
    bias: bool = True
    out_bias: bool | None = None
    rotary: Rotary | None = None
    qk_norm: Layer | None = None
    gate: bool = False
    initializer: Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.heads, "heads of MultiHeadAttention")
        for name in ("head_size", "value_size", "groups", "features"):
            if getattr(self, name) is not None:
                check_size(getattr(self, name), f"{name} of MultiHeadAttention")
        if self.heads % (self.groups or 1):
            raise ValueError(
                f"the {self.heads} heads of MultiHeadAttention cannot share groups={self.groups}; "
                "groups must divide heads"
            )
        if self.fused and self.value_size is not None:
            raise ValueError(
                f"MultiHeadAttention with fused=True has one kernel for queries, keys and values, "
                f"all of one size, but was given value_size={self.value_size}; leave one of them "
                "out"
            )

    def _projected(
        self, params: Any, inputs: tuple[jax.Array, ...], queries: jax.Array, keys: jax.Array
    ) -> list[jax.Array]:
        """Queries, keys and values from their inputs and the positions of the first two."""
        maps = self._maps(*(x.shape[-1] for x in inputs))
        found = (
            self._together(params, inputs, maps)
            if self.fused
            else [
                Linear(shape, bias=self.bias, initializer=init)(params[name], x)
                for (name, shape, init), x in zip(maps, inputs, strict=True)
            ]
        )
        for i, (name, positions) in enumerate((("query", queries), ("key", keys))):
            if self.qk_norm is not None:
                found[i] = self.qk_norm(child(params, f"{name}_norm"), found[i])
            if self.rotary is not None:
                found[i] = self.rotary({}, found[i], positions=positions)
        return found

    def _together(
        self, params: Any, inputs: tuple[jax.Array, ...], maps: "list[_Map]"
    ) -> list[jax.Array]:
        """All three by one matrix, whose columns are theirs side by side."""
        x = inputs[0]
        if any(other is not x for other in inputs):
            raise ValueError(
                f"{brief(self)} makes queries, keys and values of one input by one matrix, but was "
                "given a memory or values of their own; leave fused out"
            )
        shapes = [shape for _, shape, _ in maps]
        columns = tuple((affine(init, x.shape[-1])[0], math.prod(shape)) for _, shape, init in maps)
        many = Linear(
            (sum(n for n, _ in shapes), shapes[0][1]), bias=self.bias, initializer=Columns(columns)
        )
        ends = self.heads, self.heads + shapes[1][0]
        return jnp.split(many(params["qkv"], x), ends, axis=-2)

    def _maps(self, *inputs: int) -> "list[_Map]":
        """Of queries, keys and values: the name, the heads and their size, the initializer."""
        size = self._head_size(inputs[0])
        groups = self.groups or self.heads
        shapes = [(self.heads, size), (groups, size), (groups, self.value_size or size)]
        outputs = [math.prod(shape) for shape in shapes]
        # PyTorch draws the three as one matrix if all of them are square.
        fans = [3 * n for n in outputs] if {*inputs, *outputs} == {inputs[0]} else outputs
        inits = [self._xavier(n, fan) for n, fan in zip(inputs, fans, strict=True)]
        return list(zip(("query", "key", "value"), shapes, inits, strict=True))

    def _xavier(self, inputs: int, outputs: int) -> Init:
        if self.initializer != "torch":
            return self.initializer
        return Uniform(math.sqrt(6 / (inputs + outputs)))

    def _head_size(self, inputs: int) -> int:
        if self.head_size is None and inputs % self.heads:
            raise ValueError(
                f"the input of MultiHeadAttention has {inputs} features, which {self.heads} heads "
                "cannot share; give head_size, or a number of heads that divides the features"
            )
        return self.head_size or inputs // self.heads

    def _out(self, params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        """From heads ``[..., T, H, V]`` to features."""
        heads = y.shape[-2:]
        if self.gate:
            init = self._xavier(x.shape[-1], math.prod(heads))
            y = y * jax.nn.sigmoid(
                Linear(heads, bias=self.bias, initializer=init)(params["gate"], x)
            )
        init = self.initializer
        if init == "torch":
            init = Uniform(1 / math.sqrt(math.prod(heads)))  # PyTorch's, with a bias of zeros
        bias = self.bias if self.out_bias is None else self.out_bias
        out = Linear(self.features or x.shape[-1], axes=2, bias=bias, initializer=init)
        return out(params["out"], y)


type _Map = tuple[str, tuple[int, int], Init]


@dataclasses.dataclass(frozen=True)
class Columns:
    """Matrices side by side, each with an initializer and a number of columns of its own."""

    parts: tuple[tuple[Initializer, int], ...]

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        keys = jax.random.split(key, len(self.parts))
        made = [
            init(own, (shape[0], columns), dtype)
            for (init, columns), own in zip(self.parts, keys, strict=True)
        ]
        return jnp.concatenate(made, 1)
