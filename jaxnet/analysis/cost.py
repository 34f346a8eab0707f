"""How much a program computes: floating-point operations counted from its jaxpr, not by running it.

The count multiplies a scan's body by its length (XLA's own counts it once) and looks into every
inner program. A multiplication with its addition is two operations, as in the peak figures of
hardware; what other operations count as is in ``operations.py``.
"""

import dataclasses
import io
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import jax

from jaxnet.analysis.operations import operations


@dataclasses.dataclass(frozen=True)
class Cost:
    """Floating-point operations: all, those of each primitive, and what the numbers leave out.

    ``str`` is a table.
    """

    flops: int
    by_primitive: dict[str, int]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        from rich import box
        from rich.console import Console
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        table.add_column("operation", no_wrap=True)
        table.add_column("FLOP", justify="right", no_wrap=True)
        table.add_column("share", justify="right", no_wrap=True)
        for name, flops in self.by_primitive.items():
            table.add_row(name, f"{flops:,}", f"{flops / self.flops:.1%}")
        file = io.StringIO()
        Console(file=file, width=200).print(table)
        lines = [line.rstrip() for line in file.getvalue().splitlines()]
        return "\n".join([*lines, "", f"{self.flops:,} FLOP", *self.notes])


def flops(fn: Callable[..., Any], *args: Any, **options: Any) -> int:
    """The floating-point operations of ``fn(*args, **options)``.

    Arguments are arrays or ShapeDtypeStructs. Nothing is computed or compiled. What a program does
    is counted, recomputation under ``jax.checkpoint`` included. ``cost`` says of what it consists.

    >>> import jax.numpy as jnp
    >>> kernel, x = jnp.zeros((64, 10)), jnp.zeros((32, 64))
    >>> flops(jnp.dot, x, kernel) == 2 * 32 * 64 * 10
    True
    """
    return cost(fn, *args, **options).flops


def cost(fn: Callable[..., Any], *args: Any, **options: Any) -> Cost:
    """As ``flops``, by primitive, with notes on what the number leaves out.

    A ``while_loop`` counts as one pass, since nobody knows how many there will be, ``cond`` as its
    most expensive branch, and a primitive without a rule as nothing: ``notes`` name them.

    >>> import jax.numpy as jnp
    >>> print(cost(lambda x: jnp.tanh(x @ x), jnp.zeros((8, 8))))
    operation      FLOP   share
    ───────────────────────────
    dot_general   1,024   94.1%
    tanh             64    5.9%
    <BLANKLINE>
    1,088 FLOP
    """
    return program_cost(jax.make_jaxpr(fn)(*args, **options))


def program_cost(program: Any) -> Cost:
    """The cost of what ``jax.make_jaxpr`` gives, for those who have it already."""
    counter = _Counter()
    total = counter.program(program.jaxpr)
    by_primitive = {name: math.ceil(flops) for name, flops in total.most_common() if flops}
    return Cost(sum(by_primitive.values()), by_primitive, tuple(sorted(counter.notes)))


class _Counter:
    """Walks programs; what it could not count it notes."""

    def __init__(self) -> None:
        self.notes: set[str] = set()

    def program(self, jaxpr: Any) -> Counter[str]:
        """Operations by primitive, without those whose results are not used, as XLA drops them."""
        total: Counter[str] = Counter()
        used = {id(x) for x in jaxpr.outvars}
        for equation in reversed(jaxpr.eqns):
            if equation.effects or any(id(x) in used for x in equation.outvars):
                used.update(id(x) for x in equation.invars)
                total.update(self.equation(equation))
        return total

    def equation(self, equation: Any) -> Counter[str]:
        name, params = equation.primitive.name, equation.params
        known = operations(equation)
        if known is not None:
            return Counter({name: known})  # pyright: ignore[reportReturnType]
        if name == "cond":
            branches = [self.program(branch) for branch in _inner(params["branches"])]
            return max(branches, key=lambda branch: branch.total())
        if name == "custom_linear_solve":
            return self.program(*_inner(params["jaxprs"].solve))
        inner = [jaxpr for value in params.values() for jaxpr in _inner(value)]
        if name == "pallas_call" or not inner:
            self.notes.add(f"{name} is not counted: there is no rule for it")
            return Counter()
        if name == "while":
            self.notes.add("a while loop counts as one pass, since their number is not known")
        times = _times(name, params)
        total: Counter[str] = Counter()
        for jaxpr in inner:
            for key, flops in self.program(jaxpr).items():
                total[key] += times * flops
        return total


def _times(name: str, params: dict[str, Any]) -> int:
    """How often an inner program runs."""
    if name == "shard_map":
        return math.prod(params["mesh"].shape[axis] for axis in params["newly_manual_axes"])
    return params["length"] if name == "scan" else 1


def _inner(value: Any) -> Iterator[Any]:
    """The programs in a parameter of an equation."""
    if hasattr(value, "eqns"):
        # A closed program has its equations, too, but only the plain one its variables.
        yield getattr(value, "jaxpr", value)
    elif isinstance(value, tuple | list):
        for x in value:
            yield from _inner(x)
