"""What a metric over many batches is, and the mean of a function as one.

A ``Metric`` is four pure functions on a plain state, so it runs under ``jit`` and in a ``scan``:

>>> metric = streaming(lambda x: jnp.square(x).mean())
>>> state = metric.init()
>>> for batch in (jnp.array([1.0, 2.0]), jnp.array([4.0])):
...     state = metric.update(state, batch)
>>> metric.compute(state), metric.then(jnp.sqrt).compute(state).round(4)
(Array(7., dtype=float32), Array(2.6458, dtype=float32))
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnet.core.checks import check_real
from jaxnet.core.errors import describe, is_array, seen
from jaxnet.losses.reduce import shown, spread


class Metric(NamedTuple):
    """``init()``, ``update(state, *batch)``, ``merge(state, other)`` and ``compute(state)``.

    States are a monoid: ``merge`` is associative up to rounding, ``init()`` changes nothing, and
    merging the states of two halves of the data gives that of the whole.
    """

    init: Callable[[], Any]
    update: Callable[..., Any]
    merge: Callable[[Any, Any], Any]
    compute: Callable[[Any], Any]

    def __call__(self, *batch: Any, **options: Any) -> Any:
        """The metric of this batch alone; arguments are those of ``update`` after the state."""
        return self.compute(self.update(self.init(), *batch, **options))

    def then(self, score: Callable[[Any], Any]) -> "Metric":
        """The same states, of which it computes ``score(compute(state))``."""
        return self._replace(compute=lambda state: score(self.compute(state)))


def streaming(fn: Callable[..., jax.Array], *, weighted: bool = False) -> Metric:
    """The mean over all examples of ``fn``, a mean over the examples of one batch.

    ``update(state, *batch)`` weighs ``fn(*batch)``, a scalar, by the batch's size, which is the
    first axis of all its arrays: over uneven batches the result is that on the whole. With
    ``update(state, *batch, mask=…)`` it is ``fn(*batch, mask=mask)``, weighed by how many examples
    count; ``weights=…`` need ``weighted=True``, as what is added up then is no longer a count. Give
    them in each update or in none. The state holds a mean and an int32 count (or sum of weights).
    Raises ValueError for arrays without one common first axis, if ``fn`` does not return one
    number, and for ``compute`` before any update (under ``jit`` that is NaN).

    >>> mean = streaming(jnp.mean)
    >>> state = mean.update(mean.init(), jnp.array([1.0, 2.0, 3.0]))
    >>> mean.compute(mean.update(state, jnp.array([6.0])))
    Array(3., dtype=float32)
    """

    def init() -> dict[str, jax.Array]:
        return {"mean": jnp.zeros(()), "examples": nothing((), weighted)}

    def update(
        state: dict[str, jax.Array],
        *batch: Any,
        weights: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> dict[str, jax.Array]:
        given = {"weights": weights, "mask": mask}
        given = {name: x for name, x in given.items() if x is not None}
        leaves = jax.tree.leaves((batch, given))
        sizes = {leaf.shape[:1] for leaf in leaves if is_array(leaf)}
        if len(sizes) != 1 or sizes == {()}:
            raise ValueError(
                "a streaming metric weighs batches by their first axis, one for all arrays, but "
                f"was given {', '.join(map(describe, leaves)) or 'none'}; "
                "close over what is not part of the batch, such as parameters"
            )
        value = fn(*batch, **given)
        if jnp.shape(value):
            raise ValueError(
                f"a streaming metric averages one number a batch, but was given {describe(value)}; "
                "take the mean over the examples"
            )
        shape = max(*sizes, *(x.shape for x in given.values()), (), key=len)
        counts = amounts(shape, weights, mask, weighted, "streaming")
        new = {"mean": jnp.asarray(value, jnp.result_type(float)), "examples": total(counts)}
        return merge(state, new)

    def merge(state: dict[str, jax.Array], other: dict[str, jax.Array]) -> dict[str, jax.Array]:
        # Means rather than sums: these stay exact however many examples there are.
        examples = state["examples"] + other["examples"]
        step = share(other["examples"], examples) * (other["mean"] - state["mean"])
        return {"mean": state["mean"] + step, "examples": examples}

    def compute(state: dict[str, jax.Array]) -> jax.Array:
        return defined(state["mean"], state["examples"])

    return Metric(init, update, merge, compute)


def nothing(shape: tuple[int, ...], weighted: bool) -> jax.Array:
    """Counts of zero: int32, or floating point if they are to be sums of weights."""
    return jnp.zeros(shape, float if weighted else jnp.int32)


def amounts(shape: tuple[int, ...], weights: Any, mask: Any, weighted: bool, name: str) -> Any:
    """What each example counts: its weight or 1, and 0 where the mask is False."""
    if weights is None:
        each = jnp.ones(shape, nothing((), weighted).dtype)
    elif not weighted:
        raise ValueError(
            f"{name} counts examples and was given weights {describe(weights)}; "
            f"to add up weights make it with weighted=True: {name}(…, weighted=True)"
        )
    else:
        check_real(weights, f"weights of {name}", integers=True)
        each = spread(weights, shape, f"weights of {name}").astype(float)
    return shown(each, mask, name, 0)


def total(counts: jax.Array, axis: int | None = None) -> jax.Array:
    """Their sum in their dtype: that of int32 would else be int64 where float64 is enabled."""
    return counts.sum(axis, dtype=counts.dtype)


def share(part: jax.Array, whole: jax.Array) -> jax.Array:
    """``part / whole``, and 0 where there is nothing."""
    part, whole = part.astype(float), whole.astype(float)
    return jnp.where(whole == 0, 0, part / jnp.where(whole == 0, 1, whole))


def defined(value: jax.Array, counts: jax.Array, fix: str = "update the metric first") -> jax.Array:
    """``value``, unless it is the mean of nothing: then an error, or NaN under ``jit``."""
    known = seen(counts)
    if known is not None and not known.all():
        raise ValueError(f"the mean of nothing is not defined: {fix}")
    return jnp.where((counts != 0).all(), value, jnp.nan)
