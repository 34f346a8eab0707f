"""Looking rows up in a table: token and category embeddings."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import param
from jaxnet.core.checks import check_axes, check_float, check_positive, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe, seen
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers
from jaxnet.nn.distance import vector_norm
from jaxnet.nn.linear import linear
from jaxnet.nn.straight_through import straight_through


def embed(
    ids: jax.Array,
    kernel: jax.Array,
    *,
    padding: int | None = None,
    max_norm: float | None = None,
    norm: float = 2.0,
    scale_by_frequency: bool = False,
) -> jax.Array:
    """Rows of a table: ids ``[...]`` and ``[vocabulary, D]`` give ``[..., D]``.

    The row ``padding`` takes no gradient. Rows whose ``norm`` (of that order) exceeds ``max_norm``
    are returned shortened to it, while their gradient goes to the table as it is. With
    ``scale_by_frequency`` the gradient of a row is divided by how often it is looked up here.
    Raises ValueError for ids that are not integers and, where their values can be seen, for ids
    outside the table; under ``jit`` such a row is NaN.

    >>> embed(jnp.array([1, 0]), jnp.array([[1.0], [2.0]]))
    Array([[2.],
           [1.]], dtype=float32)
    """
    ids = jnp.asarray(ids)
    check_ids(ids, kernel, "an embedding")
    check_lookup(kernel.shape[0], padding, max_norm, norm, "embed")
    learns = None if padding is None else ids != padding % kernel.shape[0]
    return look_up(ids, kernel, learns, max_norm, norm, scale_by_frequency)


class Embed(Layer):
    """A table of learnt vectors: ids ``[...]`` to ``[..., features]``.

    Leaf ``kernel [vocabulary, features]``; ``initializer`` is a preset (``"torch"``, ``"keras"``,
    ``"flax"``) or an initializer. The row ``padding`` starts at zero and stays there. Other options
    and ids that do not exist are as in ``embed``.

    >>> layer = Embed(100, 8)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1,), jnp.int32))
    >>> layer(params, jnp.array([[3, 5, 3]])).shape
    (1, 3, 8)
    """

    vocabulary: int
    features: int
    _: KW_ONLY
    padding: int | None = None
    max_norm: float | None = None
    norm: float = 2.0
    scale_by_frequency: bool = False
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.vocabulary, "vocabulary of Embed")
        check_size(self.features, "features of Embed")
        check_lookup(self.vocabulary, self.padding, self.max_norm, self.norm, "Embed")

    def __call__(self, params: Any, ids: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        return embed(
            ids,
            self._kernel(params),
            padding=self.padding,
            max_norm=self.max_norm,
            norm=self.norm,
            scale_by_frequency=self.scale_by_frequency,
        )

    def attend(self, params: Any, x: jax.Array) -> jax.Array:
        """Scores of all rows by the same table, ``x @ kernel.T``: ``[..., features]`` to logits.

        The tied output of a language model (arXiv:1608.05859): ``[..., vocabulary]``.

        >>> Embed(100, 8).attend({"kernel": jnp.ones((100, 8))}, jnp.ones((2, 8))).shape
        (2, 100)
        """
        check_float(x, "the input of Embed.attend")
        check_axes(x, 1, "the input of Embed.attend")
        if x.shape[-1] != self.features:
            raise ValueError(
                f"the input of Embed.attend must have {self.features} features, as the table has, "
                f"but is {describe(x)}"
            )
        return linear(x, self._kernel(params).T)

    def _kernel(self, params: Any) -> jax.Array:
        init = table(self.initializer, self.padding)
        return param(params, "kernel", (self.vocabulary, self.features), init)


def look_up(
    ids: jax.Array,
    kernel: jax.Array,
    learns: jax.Array | None,
    max_norm: float | None,
    norm: float,
    scale_by_frequency: bool,
) -> jax.Array:
    """The rows of checked ids; where ``learns`` is False there is no gradient."""
    rows = kernel.at[ids].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)
    learnt = rows
    if scale_by_frequency:
        uses = jnp.ones(ids.shape, int) if learns is None else learns.astype(int)
        # At least 1, for rows that are looked up only where they do not learn.
        counts = jnp.maximum(jnp.zeros(kernel.shape[0], int).at[ids].add(uses), 1)[ids]
        learnt = rows / counts[..., None].astype(rows.dtype)
    if learns is not None:
        learnt = jnp.where(learns[..., None], learnt, 0)
    if max_norm is not None:
        wide = rows.astype(at_least_float32(rows))
        size = vector_norm(wide, norm, keepdims=True)
        shorter = wide * (max_norm / jnp.where(size > max_norm, size + 1e-7, max_norm))
        rows = shorter.astype(rows.dtype)
    return rows if learnt is rows else straight_through(rows, learnt)


def table(init: initializers.Init, padding: int | None) -> initializers.Initializer:
    """The initializer of a table, whose row ``padding`` is zero."""
    made = initializers.embedding(init)
    return made if padding is None else initializers.ZeroRow(made, padding)


def check_ids(ids: jax.Array, kernel: jax.Array, what: str) -> None:
    """Raise unless ``ids`` are integers and, where they can be seen, rows of the table."""
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise ValueError(
            f"{what} looks up integer ids, but was given {describe(ids)}; "
            "convert them: ids.astype(jnp.int32)"
        )
    if kernel.ndim != 2:
        raise ValueError(
            f"the kernel of {what} must be [vocabulary, features], but is {describe(kernel)}"
        )
    rows = kernel.shape[0]
    known = seen(ids)
    if ids.size and known is not None and (known.min() < 0 or known.max() >= rows):
        raise ValueError(
            f"ids lie between {known.min()} and {known.max()}, but the table has {rows} rows, "
            f"so ids go from 0 to {rows - 1}"
        )


def check_lookup(rows: int, padding: Any, max_norm: Any, norm: Any, what: str) -> None:
    """Raise unless these options of a look-up are possible."""
    if padding is not None and (not isinstance(padding, int) or not -rows <= padding < rows):
        raise ValueError(
            f"padding of {what} must be one of the {rows} rows, but is {describe(padding)}; "
            "None has no row of padding"
        )
    if max_norm is not None:
        check_positive(max_norm, f"max_norm of {what}")
    check_positive(norm, f"norm of {what}")
