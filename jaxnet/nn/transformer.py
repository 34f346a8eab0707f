"""Transformers: blocks one after the other, as an encoder, as a decoder, and as both."""

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax

from jaxnet.core.blueprint import child, split
from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn.compose import Remat, Repeat
from jaxnet.nn.norm import LayerNorm
from jaxnet.nn.rectifier import relu
from jaxnet.nn.transformer_block import TransformerDecoderLayer, TransformerEncoderLayer, until


class _Stack(Layer):
    """The same block ``n`` times, on stacked leaves, and a norm behind the last."""

    layer: Layer
    n: int
    _: KW_ONLY
    norm: Layer | None = None
    remat: Remat = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.layer, Layer):
            raise ValueError(
                f"layer of {type(self).__name__} must be a layer that is repeated, such as "
                f"TransformerEncoderLayer(8), but is {describe(self.layer)}"
            )
        check_size(self.n, f"n of {type(self).__name__}")

    def _run(
        self, params: Any, x: jax.Array, given: dict[str, Any], key: jax.Array | None
    ) -> jax.Array:
        """``x`` through all blocks, of which each is ``given`` the same."""
        blocks = Repeat(_Along(self.layer), self.n, remat=self.remat)
        x, _ = blocks(child(params, "layers"), (x, given), key=key)
        if self.norm is None:
            return x
        return until(self.norm(child(params, "norm"), x), given["lengths"], "result")


class _Along(Layer):
    """A layer beside whose input others travel, unchanged, as ``Repeat`` needs it."""

    layer: Layer

    def __call__(self, params: Any, carried: Any, *, key: jax.Array | None = None) -> Any:
        x, given = carried
        return self.layer(params, x, **given, key=key), given


class TransformerEncoder(_Stack):
    """Blocks such as ``TransformerEncoderLayer``, ``n`` of them: ``[..., T, D] -> [..., T, D]``.

    Leaves ``layers`` have a leading axis of ``n``; behind them stands ``norm``, if given, such
    as ``LayerNorm()`` for blocks with ``norm_first``. ``remat`` as in ``Repeat``. Arguments of the
    call are those of the block. Raises ValueError if inputs and options do not fit each other.

    >>> layer = TransformerEncoder(TransformerEncoderLayer(2, 32), 6)
    >>> params = layer.init(jax.random.key(0), jax.numpy.zeros((1, 5, 8)))
    >>> params["layers"]["mlp"]["0"]["kernel"].shape
    (6, 8, 32)
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
        return self._run(params, x, {"bias": bias, "mask": mask, "lengths": lengths}, key)


class TransformerDecoder(_Stack):
    """Blocks such as ``TransformerDecoderLayer``, ``n`` of them: ``[..., T, D] -> [..., T, D]``.

    Options are those of ``TransformerEncoder``, and arguments of the call those of the block.
    Raises ValueError if inputs and options do not fit each other.

    >>> layer = TransformerDecoder(TransformerDecoderLayer(2, 32, causal=True), 6)
    >>> inputs = jax.numpy.zeros((1, 5, 8)), jax.numpy.zeros((1, 4, 8))
    >>> layer(layer.init(jax.random.key(0), *inputs), *inputs).shape
    (1, 5, 8)
    """

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
        given = {"memory": memory, "bias": bias, "mask": mask, "lengths": lengths}
        given |= {"memory_bias": memory_bias, "memory_mask": memory_mask}
        return self._run(params, x, given | {"memory_lengths": memory_lengths}, key)


class Transformer(Layer):
    """An encoder of one sequence and a decoder of another: ``[..., S, D], [..., T, D]``.

    ``layer(params, source, target)`` returns ``[..., T, D]``: a ``TransformerEncoder`` and a
    ``TransformerDecoder``, each with a ``LayerNorm`` behind it, of blocks with the options that are
    theirs. ``causal`` is about the target, and as in PyTorch off by default. Arguments of the call
    are masks ``[S, S]``, ``[T, T]`` and ``[T, S]``, or with more axes as in ``attention``, and the
    lengths of both; those of the source hold for the memory, too.

    Leaves ``encoder`` and ``decoder``. Raises ValueError if inputs and options do not fit.

    >>> layer = Transformer(2, 1, 1, 32, causal=True)
    >>> inputs = jax.numpy.zeros((1, 5, 8)), jax.numpy.zeros((1, 4, 8))
    >>> layer(layer.init(jax.random.key(0), *inputs), *inputs).shape
    (1, 4, 8)
    """

    heads: int = 8
    encoder_layers: int = 6
    decoder_layers: int = 6
    hidden: int = 2048
    _: KW_ONLY
    dropout: float = 0.1
    activation: Callable[[jax.Array], jax.Array] = relu
    norm_first: bool = False
    bias: bool = True
    causal: bool = False
    remat: Remat = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._parts()

    def _parts(self) -> tuple[TransformerEncoder, TransformerDecoder]:
        names = ("dropout", "activation", "norm_first", "bias")
        options = {name: getattr(self, name) for name in names}
        around: Any = {"norm": LayerNorm(bias=self.bias), "remat": self.remat}
        encode = TransformerEncoderLayer(self.heads, self.hidden, **options)
        decode = TransformerDecoderLayer(self.heads, self.hidden, causal=self.causal, **options)
        return (
            TransformerEncoder(encode, self.encoder_layers, **around),
            TransformerDecoder(decode, self.decoder_layers, **around),
        )

    def __call__(
        self,
        params: Any,
        source: jax.Array,
        target: jax.Array,
        *,
        source_mask: jax.Array | None = None,
        target_mask: jax.Array | None = None,
        memory_mask: jax.Array | None = None,
        source_lengths: jax.Array | None = None,
        target_lengths: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        encoder, decoder = self._parts()
        first, last = split(key, 2)
        memory = encoder(
            params["encoder"], source, mask=source_mask, lengths=source_lengths, key=first
        )
        return decoder(
            params["decoder"],
            target,
            memory,
            mask=target_mask,
            lengths=target_lengths,
            memory_mask=memory_mask,
            memory_lengths=source_lengths,
            key=last,
        )
