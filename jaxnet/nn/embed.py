"""Looking rows up in a table: token and category embeddings."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_size
from jaxnet.core.errors import describe, seen
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers


def embed(ids: jax.Array, kernel: jax.Array) -> jax.Array:
    """Rows of a table: ids ``[...]`` and ``[vocabulary, D]`` give ``[..., D]``.

    Raises ValueError for ids that are not integers and, where their values can be seen, for ids
    outside the table; under ``jit`` such a row is NaN.

    >>> embed(jnp.array([1, 0]), jnp.array([[1.0], [2.0]]))
    Array([[2.],
           [1.]], dtype=float32)
    """
    ids = jnp.asarray(ids)
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise ValueError(
            f"an embedding looks up integer ids, but was given {describe(ids)}; "
            "convert them: ids.astype(jnp.int32)"
        )
    rows = kernel.shape[0]
    known = seen(ids)
    if ids.size and known is not None and (known.min() < 0 or known.max() >= rows):
        raise ValueError(
            f"ids lie between {known.min()} and {known.max()}, but the table has {rows} rows, "
            f"so ids go from 0 to {rows - 1}"
        )
    return kernel.at[ids].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)


class Embed(Layer):
    """A table of learnt vectors: ids ``[...]`` to ``[..., features]``.

    Leaf ``kernel [vocabulary, features]``; ``initializer`` is a preset (``"torch"``, ``"keras"``,
    ``"flax"``) or an initializer. For ids that do not exist see ``embed``.

    >>> layer = Embed(100, 8)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1,), jnp.int32))
    >>> layer(params, jnp.array([[3, 5, 3]])).shape
    (1, 3, 8)
    """

    vocabulary: int
    features: int
    _: KW_ONLY
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.vocabulary, "vocabulary of Embed")
        check_size(self.features, "features of Embed")

    def __call__(self, params: Any, ids: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        shape = (self.vocabulary, self.features)
        kernel = param(params, "kernel", shape, initializers.embedding(self.initializer))
        return embed(ids, kernel)
