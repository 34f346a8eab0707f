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
from jaxnet.train.step import LossFn, plain_step

if TYPE_CHECKING:
    import optax

# Long enough for dispatch to cost nothing, short enough for progress and Ctrl-C to be live.
SECONDS_A_DISPATCH = 0.25


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
        self.step = plain_step(loss_fn, tx, **options)
        self._facts = functools.lru_cache(maxsize=64)(self._described)

        def gather(source: Any, i: int | jax.Array, size: int | None = None) -> Any:
            data, order, words, weights = source
            batch = gathered(data, order[i, :size])
            if transform is not None:
                batch = transform(batch, jax.random.wrap_key_data(words[i], impl="threefry2x32"))
            return batch if weights is None else (batch, weights[i])

        self.gather = gather
        self.resident, self.streamed = self._loop(gather, rest), self._loop(unstack, 0)

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

    def _loop(self, pick: Callable[..., Any], rest: int) -> Callable[..., Any]:
        def run(
            state: TrainState, table: jax.Array, source: Any, short: Any, stop: int
        ) -> tuple[TrainState, jax.Array]:
            def once(i: jax.Array, carry: Any) -> tuple[TrainState, jax.Array]:
                whole, smaller = (
                    lambda state, size=size: self.step(state, pick(source, i, size))
                    for size in (None, rest)
                )
                state, table = carry
                done = jax.lax.cond(short[i], smaller, whole, state) if rest else whole(state)
                state, metrics = done
                row = jnp.stack([metrics[name].astype(table.dtype) for name in sorted(metrics)])
                return state, jax.lax.dynamic_update_index_in_dim(table, row, i, 0)

            return jax.lax.fori_loop(0, stop, once, (state, table))

        return jax.jit(run, donate_argnums=0)


def unstack(stack: Any, i: int | jax.Array, _: int | None = None) -> Any:
    """One of the batches that were stacked."""
    return jax.tree.map(lambda x: x[i], stack)
