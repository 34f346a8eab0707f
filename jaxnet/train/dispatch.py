"""Many steps in one dispatch: a compiled loop over data on the device, or over batches sent to it.

The program's bounds are given at run time, so what is computed does not depend on how the steps are
cut into dispatches, and a run that was stopped anywhere goes on bit for bit.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.analysis.cost import program_cost
from jaxnet.core.errors import describe
from jaxnet.train.feed import gathered, size_of
from jaxnet.train.state import TrainState
from jaxnet.train.step import LossFn, Metrics, plain_step

if TYPE_CHECKING:
    import optax

# Long enough for dispatch to cost nothing, short enough for progress and Ctrl-C to be live.
SECONDS_A_DISPATCH = 0.25
# Enough for many small batches, few enough for a short training to use them all.
_GATHERED_BYTES = 2**17


@dataclasses.dataclass(frozen=True)
class Done:
    """What a dispatch did: ``metrics [n, k]`` of its steps, and their numbers of examples ``[n]``.

    It took some seconds of the program with this name.
    """

    metrics: np.ndarray
    sizes: np.ndarray
    seconds: float = 0.0
    program: Hashable = None

    def epochs(self, index: int, length: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Metrics and sizes, cut where epochs of ``length`` steps end, from step ``index`` of one.

        >>> done = Done(np.zeros((5, 1)), np.ones(5))
        >>> [len(sizes) for _, sizes in done.epochs(2, 3)]
        [1, 3, 1]
        """
        count = len(self.sizes)
        ends = range(length - index, count, length) if isinstance(length, int) else ()
        for start, end in itertools.pairwise((0, *ends, count)):
            yield self.metrics[start:end], self.sizes[start:end]


@dataclasses.dataclass
class Facts:
    """What is known of a training on batches of some shape.

    Its metrics by name, what an example amounts to, and the seconds of a step, once it is compiled.
    """

    names: tuple[str, ...]
    per_example: dict[str, float]
    pace: float | None = None

    def table(self, rows: int) -> np.ndarray:
        """Room for the metrics of so many steps."""
        return np.zeros((rows, len(self.names)), jax.dtypes.canonicalize_dtype(float))


class Programs:
    """The compiled loops of one training, on data whose epochs end in a batch of ``rest``, if any.

    A loop returns the next state, and row by row the metrics of its steps, in a table of the size
    of the one that it is given.
    """

    def __init__(
        self,
        loss_fn: LossFn,
        tx: "optax.GradientTransformation",
        options: Mapping[str, Any],
        transform: Callable[[Any, jax.Array], Any] | None,
        rest: int,
    ) -> None:
        # Inlined, it is the same program, but traced once.
        self.step = jax.jit(plain_step(loss_fn, tx, **options), inline=True)
        self._transform, self._rest = transform, rest
        self._facts = functools.lru_cache(maxsize=64)(self._described)
        self.resident = jax.jit(self._resident, donate_argnums=0)
        self.streamed = jax.jit(self._streamed, donate_argnums=0)

    def gather(self, source: Any, i: int | jax.Array) -> Any:
        """Batch ``i`` of data on the device, as a loop of ``resident`` has it."""
        data, order, *beside = source
        return self._batch(gathered(data, order), i, i, beside)

    def facts(self, pick: Callable[..., Any], state: TrainState, source: Any) -> Facts:
        """What is known of training from such a state on batches picked from a source."""
        leaves, structure = jax.tree.flatten((state, source))
        return self._facts(pick, structure, tuple((x.shape, x.dtype) for x in leaves))

    def _described(
        self, pick: Callable[..., Any], structure: Any, kinds: tuple[tuple[Any, Any], ...]
    ) -> Facts:
        state, source = structure.unflatten(jax.ShapeDtypeStruct(*kind) for kind in kinds)
        batch = jax.eval_shape(lambda source: pick(source, 0), source)
        program, (_, metrics) = jax.make_jaxpr(self.step, return_shape=True)(state, batch)
        per_example = {"FLOP": program_cost(program).flops / size_of(batch)}
        first = jax.tree.leaves(batch)[0]
        if jnp.issubdtype(first.dtype, jnp.integer) and first.ndim == 2:
            per_example["tokens"] = first.shape[1]
        for name, value in metrics.items():
            if value.shape:
                raise ValueError(
                    f"fit averages scalar metrics, but {name!r} is {describe(value)}; "
                    "take its mean in loss_fn"
                )
        return Facts(tuple(sorted(metrics)), per_example)

    def _resident(
        self, state: TrainState, table: jax.Array, source: Any, short: Any, stop: int
    ) -> tuple[TrainState, jax.Array]:
        data, order, *beside = source
        batch = jax.eval_shape(gathered, data, order[0])
        nbytes = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(batch))
        # Examples are gathered for many batches at once: of small ones, each takes longer alone.
        many = min(max(_GATHERED_BYTES // max(nbytes, 1), 1), len(order))

        def block(carry: Any) -> tuple[jax.Array, TrainState, jax.Array]:
            begin, *carried = carry
            end = jnp.minimum(begin + many, stop)
            # No slice reaches beyond the table.
            first = jnp.minimum(begin, len(order) - many)
            examples = gathered(data, jax.lax.dynamic_slice_in_dim(order, first, many))

            def once(i: jax.Array, carry: Any) -> tuple[TrainState, jax.Array]:
                whole, smaller = (
                    lambda state, size=size: self.step(
                        state, self._batch(examples, i - first, i, beside, size)
                    )
                    for size in (None, self._rest)
                )
                state, table = carry
                if self._rest:
                    return _written(table, i, jax.lax.cond(short[i], smaller, whole, state))
                return _written(table, i, whole(state))

            return end, *jax.lax.fori_loop(begin, end, once, tuple(carried))

        start = jnp.zeros((), jnp.int32), state, table
        return jax.lax.while_loop(lambda carry: carry[0] < stop, block, start)[1:]

    def _streamed(
        self, state: TrainState, table: jax.Array, stack: Any, stop: int
    ) -> tuple[TrainState, jax.Array]:
        def once(i: jax.Array, carry: Any) -> tuple[TrainState, jax.Array]:
            state, table = carry
            return _written(table, i, self.step(state, unstack(stack, i)))

        return jax.lax.fori_loop(0, stop, once, (state, table))

    def _batch(
        self, examples: Any, place: Any, i: Any, beside: Any, size: int | None = None
    ) -> Any:
        """Batch ``i``, or its first ``size`` examples, from the ones at a place among others."""
        words, weights = beside
        batch = jax.tree.map(lambda x: x[place, :size], examples)
        if self._transform is not None:
            key = jax.random.wrap_key_data(words[i], impl="threefry2x32")
            batch = self._transform(batch, key)
        return batch if weights is None else (batch, weights[i])


def _written(
    table: jax.Array, i: jax.Array, done: tuple[TrainState, Metrics]
) -> tuple[TrainState, jax.Array]:
    """The state after a step, and the table with its metrics in row ``i``."""
    state, metrics = done
    row = jnp.stack([metrics[name].astype(table.dtype) for name in sorted(metrics)])
    return state, jax.lax.dynamic_update_index_in_dim(table, row, i, 0)


def unstack(stack: Any, i: int | jax.Array) -> Any:
    """One of the batches that were stacked."""
    return jax.tree.map(lambda x: x[i], stack)
