"""Compile the training steps for an H200 and say what they are made of.

python -m benchmarks.hopper [--out FILE]
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.hopper import target

GIB = 2**30


def report(console: Console) -> list[dict[str, Any]]:
    """A row for each program."""
    # These import JAX, which must find its settings.
    from benchmarks.hopper.kernels import kernels
    from benchmarks.hopper.programs import PROGRAMS

    rows = []
    for name, program in PROGRAMS.items():
        with console.status(f"compiling {name}"):
            made = target.compile_for_h200(*program())
        rows.append(
            {
                "program": name,
                "kernels": kernels(made.text),
                "temporary_bytes": made.temporary_bytes,
                "argument_bytes": made.argument_bytes,
                "seconds": round(made.seconds, 1),
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> Table:
    """All rows."""
    made = Table("", title="One training step on an H200")
    for name in (*rows[0]["kernels"], "temporary GiB", "arguments GiB", "compiled in s"):
        made.add_column(name, justify="right")
    for row in rows:
        sizes = (f"{row[f'{kind}_bytes'] / GIB:.2f}" for kind in ("temporary", "argument"))
        counts = map(str, row["kernels"].values())
        made.add_row(row["program"], *counts, *sizes, f"{row['seconds']}")
    return made


def main() -> None:
    """Compile, print and write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hopper", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--out", type=Path, help="write FILE (JSON)")
    out = parser.parse_args().out
    if problem := target.missing():
        sys.exit(problem)
    target.prepare()
    import jax

    from benchmarks.results import save

    console = Console(width=None if sys.stdout.isatty() else 160)
    rows = report(console)
    console.print(table(rows))
    if out:
        save({"target": "NVIDIA H200", "jax": jax.__version__, "rows": rows}, out)


if __name__ == "__main__":
    main()
