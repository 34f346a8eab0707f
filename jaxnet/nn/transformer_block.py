"""The blocks of transformers: attention and a feed-forward map (arXiv:1706.03762).

A block's parts stand each on a residual path, ``norm(x + part(x))`` as in PyTorch by default, or
with ``norm_first`` ``x + part(norm(x))`` (arXiv:2002.04745).
"""

import functools
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax

from jaxnet.core.blueprint import child, split
from jaxnet.core.checks import check_axes, check_float, check_size
from jaxnet.core.errors import brief, describe
from jaxnet.core.layer import Layer
from jaxnet.nn.attention_mask import Limits
from jaxnet.nn.dropout import check_rate, dropout
from jaxnet.nn.initializers import Init
from jaxnet.nn.linear import Linear
from jaxnet.nn.moments import shown
from jaxnet.nn.multihead import MultiHeadAttention
from jaxnet.nn.norm import LayerNorm
from jaxnet.nn.rectifier import relu


class _Block(Layer):
    """What the blocks of encoders and decoders share: their options and parts."""

    attention: int | MultiHeadAttention
    hidden: int | Layer = 2048
    _: KW_ONLY
    dropout: float = 0.1
    activation: Callable[[jax.Array], jax.Array] = relu
    norm: Layer | None = None
    norm_first: bool = False
    bias: bool = True
    causal: bool = False
    initializer: Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        what = type(self).__name__
        given = isinstance(self.attention, MultiHeadAttention)
        if not given:
            check_size(self.attention, f"attention of {what}, its number of heads,")
        if given and self.causal:
            raise ValueError(
                f"{what} was given causal=True and a whole attention, {brief(self.attention)}, "
                "which says that by itself; write MultiHeadAttention(…, causal=True)"
            )
        if not isinstance(self.hidden, Layer):
            check_size(self.hidden, f"hidden of {what}")
        check_rate(self.dropout)

    def _own(self) -> MultiHeadAttention:
        """The attention of the block's input to itself."""
        if isinstance(self.attention, MultiHeadAttention):
            return self.attention
        return self._heads(self.attention, causal=self.causal)

    def _heads(self, heads: int, **options: Any) -> MultiHeadAttention:
        options |= {"dropout": self.dropout, "bias": self.bias, "initializer": self.initializer}
        return MultiHeadAttention(heads, **options)

    def _add(
        self, params: Any, norm: str, x: jax.Array, key: jax.Array | None, part: Callable[..., Any]
    ) -> jax.Array:
        """``x`` and what ``part(x, key=…)`` makes of it, normalised before or after."""
        normed = functools.partial(self.norm or LayerNorm(bias=self.bias), child(params, norm))
        own, last = split(key, 2)
        y = part(normed(x) if self.norm_first else x, key=own)
        if y.shape != x.shape:
            raise ValueError(
                f"the parts of {type(self).__name__} stand on a residual path and must keep its "
                f"shape, but one made {describe(y)} of {describe(x)}; give it as many features"
            )
        y = x + dropout(y, self.dropout, last)
        return y if self.norm_first else normed(y)

    def _map(self, params: Any, x: jax.Array, *, key: jax.Array | None) -> jax.Array:
        """The feed-forward map."""
        if isinstance(self.hidden, Layer):
            return self.hidden(params, x, key=key)
        options: Any = {"bias": self.bias, "initializer": self.initializer}
        y = self.activation(Linear(self.hidden, **options)(params["0"], x))
        return Linear(x.shape[-1], **options)(params["1"], dropout(y, self.dropout, key))


class TransformerEncoderLayer(_Block):
    """Self-attention, then a feed-forward map: ``[..., T, D] -> [..., T, D]``.

    ``attention`` is a number of heads, or a whole ``MultiHeadAttention`` with rotary positions,
    fewer keys, a window and so on; ``hidden`` is the width of the map between two ``Linear``, or a
    layer in its place, such as ``MoE(…)``. An ``activation`` that is a gate, such as ``swiglu``,
    halves the width. ``norm`` is by default ``LayerNorm()``, whose eps is 1e-5. ``dropout`` is that
    of weights, of the hidden features and of each part's result. Without ``bias`` no map and no
    norm has one (a ``norm`` or an attention that is given stays as it is). ``causal`` makes it a
    block of a language model. ``initializer`` as in ``MultiHeadAttention`` and ``Linear``.

    Arguments of the call: ``mask`` (True where a query may attend) and ``bias`` (added to scores,
    PyTorch's float masks) as in ``attention``, and ``lengths [...]``: what stands behind the end of
    an example is never read, and results there are zeros.

    Leaves ``attention``, ``mlp/0``, ``mlp/1`` (or ``mlp``, those of a layer), ``norm1``, ``norm2``.
    Raises ValueError if inputs and options do not fit each other.

    >>> layer = TransformerEncoderLayer(2, 32)
    >>> params = layer.init(jax.random.key(0), jax.numpy.zeros((1, 5, 8)))
    >>> layer(params, jax.numpy.ones((3, 5, 8))).shape
    (3, 5, 8)
    """

    def __call__(
        self,
        params: Any,
        x: jax.Array,
        *,
        bias: jax.Array | None = None,
        mask: jax.Array | None = None,
        lengths: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        x = until(x, lengths, "input")
        limits = {"bias": bias, "mask": mask, "key_lengths": lengths}
        attend = functools.partial(self._own(), params["attention"], **limits)
        map_each = functools.partial(self._map, child(params, "mlp"))
        first, last = split(key, 2)
        x = self._add(params, "norm1", x, first, attend)
        return until(self._add(params, "norm2", x, last, map_each), lengths, "result")


class TransformerDecoderLayer(_Block):
    """Self-attention, attention to a memory, a feed-forward map: ``[..., T, D] -> [..., T, D]``.

    ``layer(params, x, memory)`` attends to ``memory [..., S, E]``. Options are those of
    ``TransformerEncoderLayer``, and ``cross``, the ``MultiHeadAttention`` to the memory, which is
    by default one with as many heads. As in PyTorch ``causal`` is off by default; the memory is
    always seen as a whole, but for ``memory_mask``, ``memory_bias`` and ``memory_lengths``, which
    are to it what ``mask``, ``bias`` and ``lengths`` are to ``x``.

    Leaves ``attention``, ``cross``, ``mlp/0``, ``mlp/1``, ``norm1``, ``norm2``, ``norm3``.
    Raises ValueError if inputs and options do not fit each other.

    >>> layer = TransformerDecoderLayer(2, 32, causal=True)
    >>> inputs = jax.numpy.zeros((1, 5, 8)), jax.numpy.zeros((1, 4, 6))
    >>> layer(layer.init(jax.random.key(0), *inputs), *inputs).shape
    (1, 5, 8)
    """

    cross: MultiHeadAttention | None = None

    def __call__(
        self,
        params: Any,
        x: jax.Array,
        memory: jax.Array,
        *,
        bias: jax.Array | None = None,
        mask: jax.Array | None = None,
        lengths: jax.Array | None = None,
        memory_bias: jax.Array | None = None,
        memory_mask: jax.Array | None = None,
        memory_lengths: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        x = until(x, lengths, "input")
        memory = until(memory, memory_lengths, "memory")
        limits = {"bias": bias, "mask": mask, "key_lengths": lengths}
        memory_limits = {"bias": memory_bias, "mask": memory_mask, "key_lengths": memory_lengths}
        own = self._own()
        attend = functools.partial(own, params["attention"], **limits)
        cross = functools.partial(
            self.cross or self._heads(own.heads), params["cross"], memory=memory, **memory_limits
        )
        map_each = functools.partial(self._map, child(params, "mlp"))
        first, second, last = split(key, 3)
        x = self._add(params, "norm1", x, first, attend)
        x = self._add(params, "norm2", x, second, cross)
        return until(self._add(params, "norm3", x, last, map_each), lengths, "result")


def until(x: jax.Array, lengths: jax.Array | None, what: str) -> jax.Array:
    """``x [..., T, D]`` with zeros behind the end of each example: even NaN is not to be read."""
    check_float(x, f"the {what} of a transformer")
    check_axes(x, 2, f"the {what} of a transformer, [..., T, D],")
    inside = Limits(key_lengths=lengths).allowed((*x.shape[:-2], 1, 1, x.shape[-2]))
    return x if inside is None else shown(x, inside[..., 0, 0, :])
