"""Many trainings as one program: a grid of hyperparameters and seeds, mapped by ``vmap``.

A small model leaves most of a device idle; 64 of them side by side use it. All members share the
program, so the axes are numbers that it computes with: learning rates, penalties, seeds. What
changes a shape, such as a width or a batch size, takes a sweep for each value.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core.checks import check_choice, check_size
from jaxnet.core.dtypes import is_key
from jaxnet.core.errors import describe, is_array, near
from jaxnet.train.members import check_arguments, checked_axis, checked_result, compiled

MODES = ("max", "min")


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep:
    """What a sweep gave: every array of ``results`` begins with the axes of the grid, in order."""

    axes: dict[str, np.ndarray]
    results: dict[str, Any]

    def rows(self) -> list[dict[str, Any]]:
        """A dict for each member: the values of its axes, and those results that are numbers.

        >>> sweep(lambda lr: {"loss": lr**2}, lr=[1, 2]).rows()
        [{'lr': 1, 'loss': 1}, {'lr': 2, 'loss': 4}]
        """
        numbers = {k: x for k, x in self.results.items() if is_array(x) and x.shape == self._shape}
        return [
            self._config(place) | {name: x[place].item() for name, x in numbers.items()}
            for place in np.ndindex(*self._shape)
        ]

    def best(
        self, metric: str, *, mode: str = "max", over: str | None = "seed"
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The setting with the best mean of a metric over the axis ``over``, and its results.

        These are JAX arrays and keep that axis, first, so parameters are an ensemble. With
        ``over=None``, or without an axis ``"seed"``, each member is a setting by itself. A setting
        with a value that is not finite is never best.
        Raises ValueError where no setting is finite, and for a metric that is not a number.

        >>> sweep(lambda lr, seed: {"score": lr - seed}, lr=[3, 5], seed=range(2)).best("score")
        ({'lr': 5}, {'score': Array([5, 4], dtype=int32)})
        """
        (place, values), *_ = self._ranked(metric, mode, over)
        if not np.isfinite(values).all():
            raise ValueError(
                f"{metric!r} is not finite in any setting: all diverged; widen the axes, to "
                "smaller learning rates first"
            )
        return self._config(place), jax.tree.map(lambda x: jnp.asarray(x[place]), self.results)

    def table(self, metric: str, *, mode: str = "max", over: str | None = "seed") -> str:
        """A line for each setting, the best first: mean, deviation and error over ``over``.

        ``std`` is the sample standard deviation (over n - 1), ``error`` that of the mean,
        ``std / sqrt(n)``.

        >>> result = sweep(lambda lr, seed: {"loss": lr + seed}, lr=[0.5, 0.25], seed=[0, 2])
        >>> print(result.table("loss", mode="min"))
              lr  loss    std  error
        *   0.25  1.25  1.414      1
             0.5   1.5  1.414      1
        """
        ranked = self._ranked(metric, mode, over)
        size = len(ranked[0][1])
        lines = [["", *self._config(ranked[0][0]), metric, *(["std", "error"] if size > 1 else [])]]
        for number, (place, values) in enumerate(ranked):
            setting = [_short(value) for value in self._config(place).values()]
            lost = size - np.isfinite(values).sum()
            if lost:
                figures = ["diverged", *([f"{lost} of {size}", ""] if size > 1 else [])]
            else:
                figures = [_short(values.mean())]
            if size > 1 and not lost:
                std = values.std(ddof=1)
                figures += [_short(std), _short(std / math.sqrt(size))]
            lines.append(["" if number or lost else "*", *setting, *figures])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(map(len, self.axes.values()))

    def _config(self, place: tuple[Any, ...]) -> dict[str, Any]:
        """The values of the axes at a place of the grid, but for an axis taken whole."""
        at = zip(self.axes.items(), place, strict=True)
        return {name: axis[i].item() for (name, axis), i in at if not isinstance(i, slice)}

    def _ranked(
        self, metric: str, mode: str, over: str | None
    ) -> list[tuple[tuple[Any, ...], np.ndarray]]:
        """Each setting's place in the grid and its values over ``over``, the best setting first."""
        check_choice(mode, MODES, "mode", "a sweep")
        if over not in (None, "seed", *self.axes):
            raise ValueError(f"the sweep has no axis over={over!r}; {near(str(over), self.axes)}")
        scores = self.results.get(metric)
        if scores is None:
            raise ValueError(f"run returned no {metric!r}; {near(metric, self.results)}")
        if not is_array(scores) or scores.shape != self._shape or scores.dtype.kind not in "biuf":
            one = jax.tree.map(lambda x: x[(0,) * len(self.axes)], scores)
            raise ValueError(
                f"{metric!r} must be a real number for each member, but is {describe(one)}; have "
                "run return one, such as history['val_loss'][-1]"
            )

        def rank(setting: tuple[Any, np.ndarray]) -> float:
            values = setting[1]
            if not np.isfinite(values).all():
                return math.inf
            return values.mean() if mode == "min" else -values.mean()

        indices = [
            [slice(None)] if name == over else range(len(axis)) for name, axis in self.axes.items()
        ]
        return sorted(
            ((at, np.atleast_1d(scores[at]).astype(float)) for at in itertools.product(*indices)),
            key=rank,
        )


def sweep(
    run: Callable[..., dict[str, Any]],
    /,
    *,
    devices: Sequence[Any] | None = None,
    batch: int | None = None,
    **axes: Sequence[float] | np.ndarray | jax.Array,
) -> Sweep:
    """``run(lr=…, seed=…)`` for every combination of values, as one compiled program.

    ``run`` is a pure function of one number an axis; it makes parameters, from
    ``jax.random.key(seed)`` say, trains them with ``pure_fit`` and returns a dict of arrays, also
    in nested trees. Members see what single runs see, and differ from them by rounding; that grows
    where a training is chaotic, as with the largest learning rates.

    ``batch`` members run at a time, by default all: memory grows with it. ``devices``, such as
    ``jax.devices()``, share the members between them, without a word to each other.

    Raises ValueError for an axis that is empty or does not hold numbers, for a ``run`` with other
    arguments, one that needs to know a value while it is compiled, and for results of other kinds.

    >>> def run(lr, seed):
    ...     w = jax.random.normal(jax.random.key(seed))
    ...     for _ in range(10):
    ...         w = w - lr * 2 * w              # gradient descent on w ** 2
    ...     return {"loss": w**2}
    >>> sweep(run, lr=[0.01, 0.1, 0.4, 5.0], seed=range(8)).best("loss", mode="min")[0]
    {'lr': 0.4}
    """
    if batch is not None:
        check_size(batch, "batch, the number of members at a time (an axis needs another name),")
    if devices is not None and not all(isinstance(device, jax.Device) for device in devices):
        raise ValueError(
            f"devices must be some of jax.devices(), but is {describe(devices)}; an axis needs "
            "another name"
        )
    check_arguments(run, axes)
    values = {name: checked_axis(name, axis) for name, axis in axes.items()}
    shape = tuple(map(len, values.values()))
    members = math.prod(shape)
    grid = np.meshgrid(*values.values(), indexing="ij")
    columns = {name: column.ravel() for name, column in zip(values, grid, strict=True)}

    mapped = jax.vmap(lambda config: checked_result(run(**config)))
    workers = 1
    if devices:
        workers, spec = len(devices), jax.sharding.PartitionSpec("members")
        mesh = jax.sharding.Mesh(np.array(devices), ("members",))
        # Apart by construction, where a partitioner might find something to exchange.
        mapped = jax.shard_map(mapped, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
    size = -(-min(batch or members, members) // workers) * workers

    def part(start: int) -> dict[str, np.ndarray]:
        # The last member fills up the last part, so that all parts are one program.
        rows = np.minimum(np.arange(start, start + size), members - 1)
        return {name: column[rows] for name, column in columns.items()}

    program = compiled(jax.jit(mapped), (part(0),), run, values)
    parts = [jax.device_get(program(part(start))) for start in range(0, members, size)]
    results = jax.tree.map(lambda *x: _joined(x)[:members].reshape(*shape, *x[0].shape[1:]), *parts)
    return Sweep(values, results)


def _joined(parts: Sequence[Any]) -> Any:
    """Parts end to end; random keys are arrays that only JAX can join."""
    return (jnp if is_key(parts[0]) else np).concatenate(parts)


def _short(value: float) -> str:
    return f"{value:.4g}"
