"""GPT-2: a decoder of tokens with learnt positions and a tied head (Radford et al., 2019)."""

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax

from jaxnet import nn
from jaxnet.losses import chunked_cross_entropy, softmax_cross_entropy

# Vocabulary (50257, padded for the matmul), width, depth, heads, length.
SIZES = {
    "6x256": (512, 256, 6, 8, 128),
    "124M": (50304, 768, 12, 12, 1024),
    "1.5B": (50304, 1600, 48, 25, 1024),
}
# Rows whose logits are held at once where all of them would take more than 1 GiB.
CHUNK = 8192


class GPT(nn.Layer):
    """Pre-norm blocks on tokens: ids ``[B, T]`` to logits ``[B, T, vocabulary]``."""

    vocabulary: int
    width: int
    depth: int
    heads: int
    length: int
    _: KW_ONLY
    activation: Callable[[jax.Array], jax.Array] = nn.gelu
    attention: Any = ()
    repeat: Any = ()

    def __call__(self, params: Any, ids: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return self._embed.attend(params["embed"], self.features(params, ids, key=key))

    def features(self, params: Any, ids: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        """What the head sees, ``[B, T, width]``."""
        x = self._embed(params["embed"], ids)
        x = nn.LearnedPosition(self.length)(params["position"], x)
        x = nn.Repeat(self.block, self.depth, **dict(self.repeat))(params["blocks"], x, key=key)
        return nn.LayerNorm()(params["norm"], x)

    def loss(self, params: Any, batch: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """The cross-entropy of each next token of ids ``[B, T + 1]``, as ``train_step`` wants it.

        >>> net = gpt(64, 16, 2, 2, 8)
        >>> params = net.init(jax.random.key(0), jax.numpy.zeros((1, 8), jax.numpy.int32))
        >>> net.loss(params, jax.numpy.zeros((2, 9), jax.numpy.int32)).shape
        ()
        """
        ids, labels = batch[:, :-1], batch[:, 1:]
        if labels.size * self.vocabulary * 4 <= 2**30:
            return softmax_cross_entropy(self(params, ids, key=key), labels)
        x, head = self.features(params, ids, key=key), params["embed"]["kernel"].T
        return chunked_cross_entropy(x, head, labels, chunk=CHUNK)

    @property
    def block(self) -> nn.TransformerEncoderLayer:
        """What is repeated."""
        attention: Any = {"causal": True, "initializer": nn.initializers.Normal(0.02)}
        return nn.TransformerEncoderLayer(
            nn.MultiHeadAttention(self.heads, **attention | dict(self.attention)),
            4 * self.width,
            dropout=0.0,
            activation=self.activation,
            norm_first=True,
            initializer=nn.initializers.Normal(0.02),
        )

    @property
    def _embed(self) -> nn.Embed:
        return nn.Embed(self.vocabulary, self.width, initializer=nn.initializers.Normal(0.02))


def gpt(
    vocabulary: int,
    width: int,
    depth: int,
    heads: int,
    length: int,
    *,
    activation: Callable[[jax.Array], jax.Array] = nn.gelu,
    attention: dict[str, Any] | None = None,
    repeat: dict[str, Any] | None = None,
) -> GPT:
    """A network, with further options for ``MultiHeadAttention`` and ``Repeat``.

    ``gpt(*SIZES["124M"])`` is GPT-2 small.
    """
    options = {"attention": attention or {}, "repeat": repeat or {}}
    return GPT(
        vocabulary, width, depth, heads, length, activation=activation,
        **{name: tuple(given.items()) for name, given in options.items()},
    )  # fmt: skip
