"""A softmax over very many classes, of which few are frequent (arXiv:1609.04309)."""

import itertools
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core.blueprint import child
from jaxnet.core.checks import (
    check_axes,
    check_integers,
    check_numbers,
    check_positive,
    check_prediction,
    check_size,
)
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn import initializers
from jaxnet.nn.compose import Sequential
from jaxnet.nn.linear import Linear


class AdaptiveLogSoftmax(Layer):
    """Log-probabilities of labels: ``[..., D]`` and class numbers ``[...]`` to ``[...]``.

    As PyTorch's AdaptiveLogSoftmaxWithLoss: its ``output``; its ``loss`` is ``-output.mean()``.
    ``cutoffs`` divide the classes, sorted from frequent to rare: the head has the classes below the
    first one and one entry for each later cluster, cluster ``i`` (from 1) is reached through
    ``D // div_value^i`` features. So a wide tail costs little; every cluster is
    computed for every example, since shapes are static. Children ``head`` (a Linear, with a bias
    if ``bias``) and ``tail/0``, ``tail/1``, … (two of them, ``0`` and ``1``, without).
    Raises ValueError for cutoffs that do not increase from 1 to ``classes - 1``, labels of another
    shape or dtype and, where they can be seen, that do not exist; under ``jit`` these are NaN.

    >>> layer = AdaptiveLogSoftmax(10, (4,))
    >>> x, labels = jnp.ones((2, 8)), jnp.array([1, 9])
    >>> params = layer.init(jax.random.key(0), x, labels)
    >>> layer(params, x, labels).shape, layer.log_prob(params, x).shape
    ((2,), (2, 10))
    """

    classes: int
    cutoffs: tuple[int, ...]
    _: KW_ONLY
    div_value: float = 4.0
    bias: bool = False
    initializer: initializers.Init = "torch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.classes, "classes of AdaptiveLogSoftmax", least=2)
        check_positive(self.div_value, "div_value of AdaptiveLogSoftmax")
        edges = (0, *self.cutoffs, self.classes) if isinstance(self.cutoffs, tuple) else ()
        if len(edges) < 3 or not all(
            isinstance(b, int) and a < b for a, b in itertools.pairwise(edges)
        ):
            raise ValueError(
                "cutoffs of AdaptiveLogSoftmax must be a tuple of ints that increase from at least "
                f"1 to at most {self.classes - 1}, below classes, but is {self.cutoffs!r}"
            )

    def __call__(
        self, params: Any, x: jax.Array, labels: jax.Array, *, key: jax.Array | None = None
    ) -> jax.Array:
        head, tails = self._logs(params, x)
        check_integers(labels, "labels of AdaptiveLogSoftmax")
        if labels.shape != x.shape[:-1]:
            raise ValueError(
                f"labels of AdaptiveLogSoftmax must be class numbers of the shape {x.shape[:-1]}, "
                f"but are {describe(labels)}"
            )
        check_numbers(labels, self.classes, "AdaptiveLogSoftmax")
        labels = jnp.asarray(labels).astype(jnp.int32)
        entry = jnp.where(labels < self.cutoffs[0], labels, -1)
        total = jnp.zeros(labels.shape, head.dtype)
        for i, (low, tail) in enumerate(zip(self.cutoffs, tails, strict=True)):
            entry = jnp.where(labels >= low, self.cutoffs[0] + i, entry)
            total = total + _pick(tail, labels - low)
        known = (labels >= 0) & (labels < self.classes)
        return jnp.where(known, total + _pick(head, entry), jnp.nan).astype(x.dtype)

    def log_prob(self, params: Any, x: jax.Array) -> jax.Array:
        """Log-probabilities of all classes: ``[..., D]`` to ``[..., classes]``.

        >>> layer = AdaptiveLogSoftmax(10, (4,))
        >>> params = layer.init(jax.random.key(0), jnp.ones(8), jnp.array(0))
        >>> jnp.exp(layer.log_prob(params, jnp.ones(8))).sum().round(4)
        Array(1., dtype=float32)
        """
        head, tails = self._logs(params, x)
        first = self.cutoffs[0]
        parts = [
            tail + jnp.broadcast_to(head[..., first + i, None], tail.shape)
            for i, tail in enumerate(tails)
        ]
        return jnp.concatenate([head[..., :first], *parts], -1).astype(x.dtype)

    def _logs(self, params: Any, x: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
        """Log-probabilities of the head's entries, and within each cluster of its classes."""
        check_prediction(x, "the input of AdaptiveLogSoftmax")
        check_axes(x, 1, "the input of AdaptiveLogSoftmax")
        sizes = [b - a for a, b in itertools.pairwise((*self.cutoffs, self.classes))]
        widths = [int(x.shape[-1] // self.div_value ** (i + 1)) for i in range(len(sizes))]
        if not all(widths):
            raise ValueError(
                f"the input of AdaptiveLogSoftmax has {x.shape[-1]} features, of which the last "
                f"cluster gets none for div_value={self.div_value}; give fewer cutoffs, or a "
                "smaller div_value"
            )
        init = self.initializer
        first = self.cutoffs[0] + len(sizes)
        head = Linear(first, bias=self.bias, initializer=init)(params["head"], x)
        logs = [head]
        for i, (width, size) in enumerate(zip(widths, sizes, strict=True)):
            narrow = Linear(width, bias=False, initializer=init)
            tail = Sequential(narrow, Linear(size, bias=False, initializer=init))
            logs.append(tail(child(params["tail"], str(i)), x))
        logs = [jax.nn.log_softmax(y.astype(at_least_float32(y))) for y in logs]
        return logs[0], logs[1:]


def _pick(log_p: jax.Array, entry: jax.Array) -> jax.Array:
    """Each row's entry, or 0 where there is none of that number."""
    # A sum rather than a gather, whose gradient would be a slow scatter.
    numbers = jax.lax.broadcasted_iota(entry.dtype, log_p.shape, log_p.ndim - 1)
    return jnp.where(numbers == entry[..., None], log_p, 0).sum(-1)
