"""Results: files of JSON, and what their rows say when they are set beside each other."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.run import Row

Result = dict[str, Any]


def save(result: Result, file: Path) -> None:
    """Write it, so that a reader never meets half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".part")
    fresh.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(fresh, file)


def load(file: Path) -> Result:
    """Read it; raises ValueError unless it is a file of results."""
    try:
        result = json.loads(file.read_text())
        rows = result["rows"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise ValueError(
            f"{file} is not a file of results ({problem}); give one that `python -m benchmarks "
            "--out FILE` wrote"
        ) from None
    if not all(
        {"workload", "case", "contender", "variant", "seconds"} <= row.keys() for row in rows
    ):
        raise ValueError(f"{file} has rows of another version; run the benchmarks again")
    return result


def groups(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """The rows of each case, in their order."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["workload"], row["case"]), []).append(row)
    return found


def best(rows: Iterable[Row], who: str) -> Row | None:
    """A contender's fastest variant."""
    return min(
        (row for row in rows if row["contender"] == who),
        key=lambda row: row["seconds"],
        default=None,
    )


def against(rows: list[Row], who: str) -> float | None:
    """How many times as fast jaxnet's best is as another's best."""
    ours, theirs = best(rows, "jaxnet"), best(rows, who)
    return None if ours is None or theirs is None else theirs["seconds"] / ours["seconds"]


def changes(old: Result, new: Result) -> list[tuple[Row, Row, float, bool]]:
    """Rows of both, how many times as fast the new is, and whether their quartiles lie apart."""
    before = {key(row): row for row in old["rows"]}
    found = []
    for row in new["rows"]:
        if (was := before.get(key(row))) is not None:
            apart = (
                row["quartiles"][1] < was["quartiles"][0]
                or row["quartiles"][0] > was["quartiles"][1]
            )
            found.append((was, row, was["seconds"] / row["seconds"], apart))
    return found


def key(row: Row) -> tuple[str, ...]:
    """What makes two rows the same measurement."""
    return row["workload"], row["case"], row["contender"], row["variant"]
