"""A model at a glance: its layers, their shapes and parameters, without running it."""

import io
from collections.abc import Callable
from typing import Any

import jax

from jaxnet.core.blueprint import Call, Record, trace
from jaxnet.core.errors import brief, describe


def summary(layer: Callable[..., Any], *inputs: Any, **options: Any) -> str:
    """A table with one row for each layer call, and the total of the parameters.

    ``inputs`` are example arrays or ShapeDtypeStructs. Nothing is computed. A shared layer has a
    row for each use; its leaves are counted once in the total.

    >>> import jax.numpy as jnp
    >>> from jaxnet import nn
    >>> print(summary(nn.Sequential(nn.Linear(4), nn.Linear(2)), jnp.zeros((1, 3))))
    path   layer                              output         parameters
    ───────────────────────────────────────────────────────────────────
           Sequential(Linear(4), Linear(2))   float32[1,2]           26
    0        Linear(4)                        float32[1,4]           16
    1        Linear(2)                        float32[1,2]           10
    <BLANKLINE>
    26 parameters, 104 bytes
    """
    record = Record()
    trace(layer, *inputs, record=record, **options)
    return f"{_table(record)}\n\n{_total(record)}"


def _table(record: Record) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("path", "layer", "output"):
        table.add_column(heading, no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True)
    specs = record.specs
    for call in record.calls:
        table.add_row(*_row(call, specs))
    file = io.StringIO()
    Console(file=file, width=200).print(table)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _row(call: Call, specs: dict[str, jax.ShapeDtypeStruct]) -> tuple[str, str, str, str]:
    start = f"{call.path}/" if call.path else ""
    size = sum(spec.size for path, spec in specs.items() if path.startswith(start))
    depth = start.count("/")
    outputs = ", ".join(map(describe, call.outputs))
    return call.path, "  " * depth + brief(call.layer, 40), outputs, f"{size:,}" if size else ""


def _total(record: Record) -> str:
    specs = record.specs
    stats = sum(spec.size for path, spec in specs.items() if "stats" in path.split("/"))
    size = sum(spec.size for spec in specs.values()) - stats
    room = sum(spec.size * spec.dtype.itemsize for spec in specs.values())
    return f"{size:,} parameters" + f" and {stats:,} statistics" * bool(stats) + f", {room:,} bytes"
