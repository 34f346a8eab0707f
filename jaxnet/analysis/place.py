"""Where in the user's program an operation stands: the path of the layer, and the line."""

import os
import re
from typing import Any

import jax

# The parameter of an operation that holds the one program that it runs.
HELD = {
    "jit": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}
_LIBRARIES = (os.path.dirname(jax.__file__), os.path.dirname(os.path.dirname(__file__)))


def steps(stack: str) -> list[str]:
    """The scopes of an operation, without the transforms around them."""
    names = re.sub(r"\w+\(|\)", "", stack).split("/")
    return [name for name in names if name not in ("", "checkpoint", "rematted_computation")]


def source_line(eqns: list[Any]) -> str:
    """The user's line that an operation comes from; empty if there is none to be known."""
    # A function of a library is traced once for many calls: only the call itself tells the line.
    called = (i for i, eqn in enumerate(eqns[:-1]) if _is_library(_function(eqn)))
    eqn = eqns[next(called, -1)]
    for frame in getattr(eqn.source_info.traceback, "frames", ()):
        if not _is_library(frame.file_name):
            import linecache

            code = linecache.getline(frame.file_name, frame.line_num).strip()
            place = f"{frame.file_name}:{frame.line_num} in {frame.function_name}"
            return f"{place}: {code}" if code else place
    return ""


def _function(eqn: Any) -> str:
    """The file of the function that an operation runs."""
    called = eqn.primitive.name not in ("remat2", "checkpoint")
    held = eqn.params.get(HELD.get(eqn.primitive.name)) if called else None
    described = getattr(getattr(held, "debug_info", None), "func_src_info", None) or ""
    return described.rpartition(" at ")[2]


def _is_library(file: str) -> bool:
    return file.startswith(tuple(folder + os.sep for folder in _LIBRARIES))
