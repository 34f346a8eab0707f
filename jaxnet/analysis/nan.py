"""Which layer and operation made the loss, or its gradient, NaN or infinite.

``find_nonfinite`` takes the very inputs of a training step, and traces the loss once more with the
path of every layer in it. Nothing is added to the programs that train.
"""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.analysis.evidence import Lead, marks
from jaxnet.analysis.interpret import Origin, Trail, outputs
from jaxnet.analysis.remedy import remedy
from jaxnet.core import tree
from jaxnet.core.dtypes import is_key
from jaxnet.core.errors import describe, is_array
from jaxnet.core.explain import named

_serial = itertools.count()


@dataclasses.dataclass(frozen=True)
class Values:
    """What an array holds: the least and the greatest of its finite numbers, and counts.

    >>> print(Values.of(jnp.array([0.0, 2.0, jnp.nan])))
    float32[3] from 0 to 2, 1 of 3 zero, 1 of 3 NaN
    """

    what: str
    least: float | None
    greatest: float | None
    zeros: int
    nans: int
    infinite: int
    size: int

    @classmethod
    def of(cls, x: Any) -> "Values":
        """The values of an array, or of a number."""
        if is_key(x):
            return cls(describe(x), None, None, 0, 0, 0, x.size)
        numbers = np.asarray(x)
        nan, infinite = np.isnan(numbers), np.isinf(numbers)
        finite = np.abs(numbers) if np.iscomplexobj(numbers) else numbers
        finite = finite[~(nan | infinite)]
        least, greatest = (float(finite.min()), float(finite.max())) if finite.size else (None,) * 2
        zeros = int((numbers == 0).sum())
        return cls(
            describe(x), least, greatest, zeros, int(nan.sum()), int(infinite.sum()), numbers.size
        )

    def __str__(self) -> str:
        parts = [self.what]
        if self.least is not None:
            parts = [f"{self.what} from {self.least:.6g} to {self.greatest:.6g}"]
        counts = {"zero": self.zeros, "NaN": self.nans, "infinite": self.infinite}
        parts += [f"{count} of {self.size} {name}" for name, count in counts.items() if count]
        return ", ".join(parts)


@dataclasses.dataclass(frozen=True)
class Finding:
    """The first cause of a loss or gradient that is not finite; ``str`` of it is a paragraph.

    ``operation`` is JAX's name of it, as ``"log"``, or ``"input"`` if what was given is not
    finite itself; ``path`` is that of the layer, or of the input, as ``"params/head/kernel"``.
    ``iteration`` has an (index, length) for each loop around it, outermost first; ``index`` is the
    place of a bad entry in the output. ``then`` names the operation that made NaN of infinite
    values, and ``gradient`` the leaf whose gradient is bad while the loss is finite.
    """

    phase: str
    operation: str
    path: str
    iteration: tuple[tuple[int, int], ...]
    inputs: tuple[Values, ...]
    output: Values
    index: tuple[int, ...]
    source: str
    then: str
    gradient: str
    advice: str

    def __str__(self) -> str:
        subject = f"The gradient of {self.gradient}" if self.gradient else "The loss"
        where = f" of {self.path}" if self.path else ""
        loops = ", ".join(f"iteration {index} of {length}" for index, length in self.iteration)
        where += f", {loops} (counted from 0)" if loops else ""
        made = f"the {self.phase} pass{where}: {self.operation} made"
        if self.operation == "input":
            made = f"what was given: {self.path} holds"
        bad = "NaN" if self.output.nans else "infinite values"
        lines = [f"{subject} is not finite. It begins in {made} {bad}."]
        lines += [f"  input   {values}" for values in self.inputs]
        place = f", as at {list(self.index)}" if self.index else ""
        lines += [f"  output  {self.output}{place}"]
        lines += [f"  then    {self.then}"] if self.then else []
        lines += [f"  source  {self.source}"] if self.source else []
        return "\n".join([*lines, self.advice])


def find_nonfinite(
    loss_fn: Callable[..., Any], params: Any, batch: Any, key: jax.Array | None
) -> Finding | None:
    """What first made the loss, or else its gradient, not finite; None if both are finite.

    ``loss_fn(params, batch, key)`` is as for ``train_step``; the inputs are those of the step that
    went wrong, its key folded as the step folds it. Infinite values that never reach the loss, such
    as those behind a mask, are no fault. Each operation runs by itself and its value is kept until
    the walk has left its loop or function, so it takes seconds, and more memory than a step.
    Raises ValueError for a loss that is not a scalar.

    >>> def loss_fn(params, batch, key):
    ...     return jnp.log(params["rate"] * batch).mean()
    >>> found = find_nonfinite(loss_fn, {"rate": jnp.array(2.0)}, jnp.array([1.0, 0.0]), None)
    >>> found.phase, found.operation, str(found.inputs[0])
    ('forward', 'log', 'float32[2] from 0 to 2, 1 of 2 zero')
    """
    given = {"params": params, "batch": batch, "key": key}
    inputs = {
        path: x if isinstance(x, jax.Array) else jnp.asarray(x)
        for path, x in tree.flatten(given).items()
    }

    def loss(given: dict[str, Any]) -> jax.Array:
        with named(given["params"]):
            output = loss_fn(given["params"], given["batch"], given["key"])
        value = output[0] if isinstance(output, tuple) else output
        if not is_array(value) or value.shape or not jnp.issubdtype(value.dtype, jnp.floating):
            raise ValueError(
                f"loss_fn must return a scalar floating-point loss, but returned {describe(value)};"
                " take the mean over the batch, as the functions of jn.losses do"
            )
        return value

    def gradient(given: dict[str, Any]) -> Any:
        of_params = lambda params: loss(given | {"params": params})
        return jax.value_and_grad(of_params)(given["params"])

    programs = [("forward", loss, [""]), ("backward", gradient, ["", *tree.flatten(params)])]
    for phase, program, names in programs:
        with _afresh():
            jaxpr = jax.make_jaxpr(program)(given)
            trail = Trail()
            results = outputs(jaxpr, trail.evaluate(jaxpr, list(inputs.values())))
            for out, (leaf, x) in enumerate(zip(names, results, strict=True)):
                for mark in marks(x)[:1]:
                    found = trail.follow(jaxpr, list(inputs.values()), out, mark)
                    phase = phase if leaf else "forward"
                    return _finding(found, trail.turn, phase, leaf, inputs, x)
    return None


def _finding(
    found: Origin | Lead | None,
    turn: Origin | None,
    phase: str,
    gradient: str,
    inputs: dict[str, jax.Array],
    result: jax.Array,
) -> Finding:
    if isinstance(found, Lead):
        path = list(inputs)[found.index]
        found = Origin("input", [], inputs[path], found.mark, path, (), "")
    elif found is None:
        found = Origin("loss_fn", [], result, marks(result)[0], "", (), "")
    elif found.constant and turn:
        # Infinities that stand in the program are masks: what made NaN of them is the fault.
        found, turn = turn, None
    return Finding(
        phase,
        found.operation,
        found.path,
        found.loops,
        tuple(map(Values.of, found.inputs)),
        Values.of(found.output),
        tuple(map(int, np.unravel_index(found.mark.at[0], found.output.shape))),
        found.source,
        f"{turn.operation} in {turn.path or 'the loss'} made NaN of it" if turn else "",
        gradient,
        remedy(found, phase),
    )


@contextlib.contextmanager
def _afresh() -> Iterator[None]:
    """In it JAX traces anew what it has traced before without the paths of layers."""
    from jax.experimental.xla_metadata import set_xla_metadata

    # Metadata are part of what traces are kept by, and change nothing else.
    with (
        set_xla_metadata(jaxnet_finding=next(_serial)),
        jax.debug_nans(False),
        jax.debug_infs(False),
    ):
        yield
