"""Where a value that is not finite comes from: a walk from a program's result to its origin.

Every operation on the way is asked which of its inputs spoils its result, and the walk goes on from
there; one that needs no bad input made the value. What a ``where`` drops, as a mask of ``-inf``, is
thus passed by. An operation that holds a program, as ``jit`` and ``scan`` do, is asked as one, and
only if it made the value is it walked into: a loop from its last iteration to its first.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from jaxnet.analysis.evidence import Lead, Mark, suspect
from jaxnet.analysis.place import HELD, source_line, steps

# To compile fast, and to round as often as the program says, so that a value is the same alone.
_COMPILER = {
    "xla_allow_excess_precision": False,
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}
# They only bring a value to where it is used.
_CARRIERS = ("broadcast_in_dim", "convert_element_type", "reshape", "squeeze", "transpose")


@dataclasses.dataclass(frozen=True)
class Origin:
    """An operation on the way, with its inputs and output, and where in the program it stands.

    ``loops`` has one (index, length) for each loop around it, outermost first. ``constant`` says
    that the bad value stands in the program itself, and the operation is the first to read it.
    """

    operation: str
    inputs: list[Any]
    output: Any
    mark: Mark
    path: str
    loops: tuple[tuple[int, int], ...]
    source: str
    constant: bool = False


def run(eqn: Any, args: Sequence[Any]) -> list[Any]:
    """The outputs of one operation of a jaxpr."""
    if eqn.primitive.name in HELD:
        held = eqn.params[HELD[eqn.primitive.name]]
        return outputs(held, evaluate(held, args))
    with eqn.ctx.manager:
        results = eqn.primitive.bind(*args, **eqn.primitive.get_bind_params(eqn.params))
    return list(results) if eqn.primitive.multiple_results else [results]


def evaluate(jaxpr: Any, args: Sequence[Any]) -> dict[Any, Any]:
    """The value of every variable of a jaxpr."""
    values = dict(zip(jaxpr.constvars, jaxpr.consts, strict=True))
    values |= zip(jaxpr.invars, args, strict=True)
    for eqn in jaxpr.eqns:
        if eqn.outvars:  # else it is there for its effect, as printing is
            results = run(eqn, [_read(values, var) for var in eqn.invars])
            values |= zip(eqn.outvars, results, strict=True)
    return values


def outputs(jaxpr: Any, values: dict[Any, Any]) -> list[Any]:
    """What a jaxpr returns, of the values of its variables."""
    return [_read(values, var) for var in jaxpr.outvars]


class Trail:
    """One walk; ``turn`` is the operation that made NaN of infinite values, if it passed one."""

    def __init__(self) -> None:
        self.turn: Origin | None = None
        self._last: Origin | None = None
        self._frames: list[tuple[Any, tuple[int, int] | None]] = []
        self._programs: dict[int, Callable[..., list[Any]]] = {}

    def follow(
        self, jaxpr: Any, args: Sequence[Any], out: int, mark: Mark
    ) -> "Origin | Lead | None":
        """Whence output ``out`` has the value marked: an operation, an input, or the jaxpr itself.

        None is the last: the value is a constant, or not seen when each operation runs by itself.
        """
        values = self.evaluate(jaxpr, args)
        makers = {var: eqn for eqn in jaxpr.eqns for var in eqn.outvars}
        var, passed = jaxpr.outvars[out], None
        if not mark.holds(_read(values, var)):
            return None
        while not _is_literal(var) and var in makers:
            eqn = makers[var]
            inputs = [_read(values, v) for v in eqn.invars]
            walk = self._within(eqn)
            held = eqn.params.get(HELD.get(eqn.primitive.name))
            ask = self._outputs(held) if held else functools.partial(run, eqn)
            with self._frame(eqn):
                found = self._ask(ask, walk, inputs, eqn.outvars.index(var), mark)
                if isinstance(found, Origin):
                    return found
                passed = self._origin(eqn, inputs, values[var], mark)
            if found is None:
                return passed
            if walk is None:
                if eqn.primitive.name not in _CARRIERS:
                    self._last = passed
                if mark.nan and not found.mark.nan:
                    self.turn = passed
            elif _is_literal(eqn.invars[found.index]):
                # Passed over, but within stands the operation that reads the constant.
                with self._frame(eqn):
                    walk(inputs, eqn.outvars.index(var), mark)
            var, mark = eqn.invars[found.index], found.mark
        if not _is_literal(var) and var in jaxpr.invars:
            return Lead(jaxpr.invars.index(var), mark)
        return passed and dataclasses.replace(self._last or passed, constant=True)

    def evaluate(self, jaxpr: Any, args: Sequence[Any]) -> dict[Any, Any]:
        """The value of every variable, computed in one program that is compiled once."""
        if id(jaxpr) not in self._programs:
            self._programs[id(jaxpr)] = jax.jit(
                lambda *args: list(evaluate(jaxpr, args).values()), compiler_options=_COMPILER
            )
        made = [var for eqn in jaxpr.eqns for var in eqn.outvars]
        values = self._programs[id(jaxpr)](*args)
        return dict(zip([*jaxpr.constvars, *jaxpr.invars, *made], values, strict=True))

    def _outputs(self, jaxpr: Any) -> Callable[[Sequence[Any]], list[Any]]:
        return lambda args: outputs(jaxpr, self.evaluate(jaxpr, args))

    def _within(self, eqn: Any) -> Callable[..., "Origin | Lead | None"] | None:
        """How to walk into an operation that holds programs."""
        name = eqn.primitive.name
        if name in HELD:
            return functools.partial(self.follow, eqn.params[HELD[name]])
        walks = {"scan": self._scan, "while": self._while, "cond": self._cond}
        return functools.partial(walks[name], eqn) if name in walks else None

    def _cond(self, eqn: Any, args: Sequence[Any], out: int, mark: Mark) -> "Origin | Lead | None":
        found = self.follow(eqn.params["branches"][int(args[0])], args[1:], out, mark)
        return Lead(found.index + 1, found.mark) if isinstance(found, Lead) else found

    def _scan(self, eqn: Any, args: Sequence[Any], out: int, mark: Mark) -> "Origin | Lead | None":
        body, length = eqn.params["jaxpr"], eqn.params["length"]
        # A stacked input or output has one axis more than its slices.
        slices = [var.aval.ndim < np.ndim(x) for var, x in zip(body.invars, args, strict=True)]
        stacks = [
            var.aval.ndim < whole.aval.ndim
            for var, whole in zip(body.outvars, eqn.outvars, strict=True)
        ]
        loop = _Loop(
            self._outputs(body),
            first=len(args) - sum(slices) - stacks.count(False),
            state=stacks.count(False),
            args=list(args),
            order=range(length)[::-1] if eqn.params["reverse"] else range(length),
        )
        return self._around(body, loop, out, mark)

    def _while(self, eqn: Any, args: Sequence[Any], out: int, mark: Mark) -> "Origin | Lead | None":
        skip, count = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
        body, more = eqn.params["body_jaxpr"], self._outputs(eqn.params["cond_jaxpr"])
        loop = _Loop(
            self._outputs(body), first=count, state=len(eqn.outvars), args=list(args[skip:])
        )
        while more([*args[:skip], *loop.before(loop.trips)])[0]:
            loop.order = range(loop.trips + 1)
        found = self._around(body, loop, out, mark)
        return Lead(found.index + skip, found.mark) if isinstance(found, Lead) else found

    def _around(self, body: Any, loop: "_Loop", out: int, mark: Mark) -> "Origin | Lead | None":
        """The walk through a loop, from its last iteration to its first."""
        trip = loop.trips - 1
        if out >= loop.state:
            size = body.outvars[out].aval.size
            index = int(mark.at[0]) // size
            mark = Mark(mark.nan, mark.at[mark.at // size == index] % size)
            trip = loop.order.index(index)
        while trip >= 0:
            index = loop.order[trip]
            walk = functools.partial(self.follow, body)
            with self._frame(None, (index, loop.trips)):
                found = self._ask(loop.body, walk, loop.inputs(trip), out, mark)
            if not isinstance(found, Lead):
                return found
            mark, out = found.mark, found.index - loop.first
            if out >= loop.state:
                offset = index * body.invars[found.index].aval.size
                return Lead(found.index, Mark(mark.nan, mark.at + offset))
            if out < 0:
                return found
            trip -= 1
        return Lead(loop.first + out, mark)

    @staticmethod
    def _ask(
        ask: Callable[[list[Any]], list[Any]],
        walk: Callable[..., "Origin | Lead | None"] | None,
        args: list[Any],
        out: int,
        mark: Mark,
    ) -> "Origin | Lead | None":
        lead = suspect(ask, args, out, mark, whole=walk is not None)
        return walk(args, out, mark) if walk and not lead else lead

    @contextlib.contextmanager
    def _frame(self, eqn: Any, loop: tuple[int, int] | None = None) -> Iterator[None]:
        self._frames.append((eqn, loop))
        yield
        self._frames.pop()

    def _origin(self, eqn: Any, inputs: list[Any], output: Any, mark: Mark) -> Origin:
        eqns = [eqn for eqn, _ in self._frames if eqn]
        path = "/".join(step for eqn in eqns for step in steps(str(eqn.source_info.name_stack)))
        loops = tuple(loop for _, loop in self._frames if loop)
        return Origin(eqn.primitive.name, inputs, output, mark, path, loops, source_line(eqns))


@dataclasses.dataclass
class _Loop:
    """The iterations of a loop. Every 32nd state is kept, the others are computed when needed."""

    body: Callable[[list[Any]], list[Any]]
    first: int  # the position of the state among the arguments
    state: int  # and how many arrays it has
    args: list[Any]
    order: range = range(0)  # the index of each iteration
    kept: dict[int, list[Any]] = dataclasses.field(default_factory=dict)
    near: dict[int, list[Any]] = dataclasses.field(default_factory=dict)

    @property
    def trips(self) -> int:
        return len(self.order)

    def before(self, trip: int) -> list[Any]:
        """The state before an iteration."""
        if trip not in self.near:
            known = {0: self.args[self.first : self.first + self.state]} | self.kept | self.near
            start = max(now for now in known if now <= trip)
            self.near = {start: known[start]}
            for now in range(start, trip):
                state = self.body(self.inputs(now))[: self.state]
                if (now + 1) % 32 == 0:
                    self.kept[now + 1], self.near = state, {}
                self.near[now + 1] = state
        return self.near[trip]

    def inputs(self, trip: int) -> list[Any]:
        """What the body is given in an iteration."""
        stacks = self.args[self.first + self.state :]
        slices = _slices(stacks, self.order[trip]) if stacks else []
        return [*self.args[: self.first], *self.before(trip), *slices]


@jax.jit
def _slices(stacks: list[Any], index: Any) -> list[Any]:
    return [jax.lax.dynamic_index_in_dim(x, index, keepdims=False) for x in stacks]


def _is_literal(var: Any) -> bool:
    return hasattr(var, "val")


def _read(values: dict[Any, Any], var: Any) -> Any:
    return var.val if _is_literal(var) else values[var]
