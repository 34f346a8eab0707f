"""Errors that teach: which layers and paths an error arose in, and all leaves that do not fit.

Every layer call goes through ``explained``, which does nothing until something has gone wrong, and
on a blueprint writes down who was called on what.
"""

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import jax

from jaxnet.core import tree
from jaxnet.core.blueprint import Blueprint, Call, Record, trace
from jaxnet.core.errors import brief, describe, is_array, misfits

_FORWARD_MODE = (
    "Statistics learn by a rule for gradients, so a training call has no forward mode (jvp, "
    "jacfwd). Call the layer without a key: an inference call has it. "
    "Forward over reverse works on both. Attention by cuDNN has none either: give it "
    "implementation='xla'."
)

# Which layer calls are under way, so that an error is explained once, by the outermost; and under
# ``named`` the parameters of the innermost, or of the whole.
_calls = threading.local()


@dataclasses.dataclass(frozen=True)
class _Frame:
    layer: Any
    params: Any
    inputs: tuple[Any, ...]


def explained(call: Callable[..., Any]) -> Callable[..., Any]:
    """``call``, whose errors name the layers and paths on the way."""

    @functools.wraps(call)
    def wrapped(self: Any, params: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(params, dict | Blueprint):
            swapped = "; were the arguments swapped?" if is_array(params) else ""
            raise ValueError(
                f"{brief(self)} is called as layer(params, x): its first argument is the dict of "
                f"parameters, but {describe(params)} was given{swapped}"
            )
        outermost = not getattr(_calls, "active", False)
        _calls.active = True
        try:
            if isinstance(params, Blueprint):
                return _recorded(call, self, params, *args, **kwargs)
            if getattr(_calls, "outer", None) is None:
                return call(self, params, *args, **kwargs)
            with jax.named_scope(_step(self, params, _calls.outer)), named(params):
                return call(self, params, *args, **kwargs)
        except Exception as error:
            frames = error.__dict__.setdefault("jaxnet_frames", [])
            frames.append(_Frame(self, params, args))
            if outermost:
                del error.__dict__["jaxnet_frames"]
                error.add_note(_whereabouts(frames[::-1]))
                if isinstance(error, TypeError) and "custom_vjp" in str(error):
                    error.add_note(_FORWARD_MODE)
                if isinstance(params, dict):
                    _raise_misfits(error, self, params, args, kwargs)
            raise
        finally:
            _calls.active = not outermost

    return wrapped


@contextlib.contextmanager
def named(params: dict[str, Any]) -> Iterator[None]:
    """In it a layer call is a ``jax.named_scope``: its path, counted from ``params``."""
    before = getattr(_calls, "outer", None)
    _calls.outer = params
    try:
        yield
    finally:
        _calls.outer = before


def _step(layer: Any, part: dict[str, Any], whole: dict[str, Any]) -> str:
    """The path from ``whole`` to a layer's part of it, or else what the layer is called."""
    if part is whole:
        return ""
    if path := _find(part, whole):
        return path
    # A transform has rebuilt the dicts, but kept their structure.
    structure = jax.tree.structure(part)
    alike = [path for path, node in _parts(whole) if part and jax.tree.structure(node) == structure]
    name = getattr(getattr(layer, "fn", None), "__name__", type(layer).__name__)
    return alike[0] if len(alike) == 1 else name


def _recorded(
    call: Callable[..., Any], layer: Any, params: Blueprint, *args: Any, **kwargs: Any
) -> Any:
    # Shapes only: a record that kept tracers would leak them.
    def shapes(x: Any) -> Any:
        return jax.tree.map(jax.typeof, [leaf for leaf in jax.tree.leaves(x) if is_array(leaf)])

    calls = params.record.calls
    place = len(calls)  # before those of its parts
    output = call(layer, params, *args, **kwargs)
    calls.insert(place, Call(params.path, layer, shapes(args), shapes(output)))
    return output


def _whereabouts(frames: list[_Frame]) -> str:
    """The layers on the way to an error, outermost first, one line each."""
    lines, path, outer = ["The error arose in:"], "", None
    for frame in frames:
        if isinstance(frame.params, Blueprint):
            path = frame.params.path
        elif isinstance(outer, dict):
            path = "/".join(filter(None, (path, _find(frame.params, outer))))
        inputs = ", ".join(describe(x) for x in frame.inputs)
        lines.append(f"  {path or '(top)'}: {brief(frame.layer)} on {inputs}")
        outer = frame.params
    return "\n".join(lines)


def _find(part: dict[str, Any], whole: dict[str, Any]) -> str:
    """The path of a subtree; empty where a transform, such as a scan, has rebuilt the dicts."""
    return next((path for path, node in _parts(whole) if node is part), "")


def _parts(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield path, node
        for name, x in node.items():
            yield from _parts(x, f"{path}/{name}" if path else name)


def _raise_misfits(error: Exception, layer: Any, params: Any, args: Any, kwargs: Any) -> None:
    """If the parameters do not fit the call, say so, for all leaves at once."""
    record, complete = Record(), True
    try:
        trace(layer, *args, record=record, **kwargs)
    except Exception:
        # The call fails on any parameters; compare what it asked for until then.
        complete = False
    given = tree.flatten(params)
    if not misfits(given, record.specs, complete=False):
        return
    inputs = ", ".join(describe(x) for x in args)
    raise ValueError(
        f"these parameters do not fit {brief(layer)} on {inputs}:\n"
        + misfits(given, record.specs, complete=complete)
        + "\nIf the input is right, make parameters for it: layer.init(key, x). If the parameters "
        "are right, give the layer and the input that they were made for."
    ) from error
