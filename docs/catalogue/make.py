"""Makes docs/catalogue.md: every part of PyTorch, Keras and ONNX, and the jaxnet call that does it.

``python docs/catalogue/make.py`` writes the page; with ``--check`` it only says what is wrong: a
name without a row, a call that does not exist, a call that no test compares with an independent
reference, in values and, where it has them, gradients. It reads names.json (see names.py), the rows
of torch.toml, keras.toml and onnx.toml, jaxnet itself, and what the tests say of themselves: the
cases in the golden files, and the marks ``@pytest.mark.oracle("nn.part", gradients=True)``.
"""

import ast
import collections
import functools
import json
import operator
import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

from safetensors import safe_open

import jaxnet

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent / "catalogue.md"
TESTS = FOLDER.parents[1] / "tests"
# The share of rows that may do without a call.
TOLERATED = 0.05


class Row(NamedTuple):
    """What one name of another library is here: code that begins with a call, or a reason."""

    name: str
    code: str
    reason: str

    @property
    def call(self) -> str:
        """The dotted name that the code begins with."""
        return re.match(r"[\w.]*", self.code)[0]  # pyright: ignore[reportOptionalSubscript]


class Checks(NamedTuple):
    """How many tests compare a call's values, and its gradients, with something independent."""

    values: int
    gradients: int


def rows() -> dict[str, list[Row]]:
    """All rows by source; raises unless they are those of the names."""
    names = json.loads((FOLDER / "names.json").read_text())
    given = {}
    for library in ("torch", "keras", "onnx"):
        given |= tomllib.loads((FOLDER / f"{library}.toml").read_text())
    for source, found in names.items():
        if set(found) != set(given[source]):
            raise ValueError(
                f"{source}: no row for {sorted({*found} - {*given[source]})}, "
                f"no such name as {sorted({*given[source]} - {*found})}"
            )
    return {source: [_row(name, given[source][name]) for name in names[source]] for source in given}


def _row(name: str, text: str) -> Row:
    return Row(name, "", text[2:]) if text.startswith("- ") else Row(name, text, "")


def checks() -> dict[str, Checks]:
    """The tests of each call, counted."""
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
    for path in TESTS.glob("golden/**/*.safetensors"):
        with safe_open(path, framework="numpy") as file:
            cases = json.loads((file.metadata() or {}).get("cases", "{}"))
            smooth = {key.split("/")[0] for key in file.keys() if "/grads/" in key}  # noqa: SIM118
        for name, case in cases.items():
            counts[case["call"]][0] += 1
            counts[case["call"]][1] += name in smooth
    for path in TESTS.glob("**/test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.oracle":
                gradients = any(ast.literal_eval(keyword.value) for keyword in node.keywords)
                for call in map(ast.literal_eval, node.args):
                    counts[call][0] += 1
                    counts[call][1] += gradients
    return {call: Checks(*count) for call, count in counts.items()}


@functools.cache
def differentiable(call: str) -> bool:
    """Whether there are gradients to check: not those of draws, scores, rules and whole numbers."""
    flat = tomllib.loads((FOLDER / "flat.toml").read_text())
    return call.split(".")[0] not in flat["rooms"] and call not in flat["calls"]


def problems(table: dict[str, list[Row]], tests: dict[str, Checks]) -> list[str]:
    """What is wrong with the table, one sentence each."""
    every = [row for found in table.values() for row in found]
    missing = [row for row in every if row.reason]
    found = []
    if len(missing) > TOLERATED * len(every):
        found.append(f"{len(missing)} of {len(every)} rows have no call")
    for call in sorted({row.call for row in every if row.code}):
        try:
            operator.attrgetter(call)(jaxnet)
        except AttributeError:
            found.append(f"jaxnet.{call} does not exist")
            continue
        values, gradients = tests.get(call, Checks(0, 0))
        if not values:
            found.append(f"{call} has no test against an independent reference")
        elif not gradients and differentiable(call):
            found.append(f"{call} has no such test of its gradients")
    return found


def page(table: dict[str, list[Row]], tests: dict[str, Checks]) -> str:
    """The whole page in Markdown."""
    every = [row for found in table.values() for row in found]
    missing = sum(bool(row.reason) for row in every)
    parts = [
        (FOLDER / "intro.md").read_text().strip(),
        f"Of {len(every)} names {len(every) - missing} have a call and {missing} a reason "
        f"({100 * missing / len(every):.1f} %).",
    ]
    for source, found in table.items():
        lines = [f"| {source} | jaxnet | tests of values | of gradients |", "|---|---|---|---|"]
        for row in found:
            values, gradients = tests.get(row.call, Checks(0, 0))
            slope = gradients if differentiable(row.call) else "–"  # noqa: RUF001
            code = row.code.replace("|", "\\|")
            cells = f"`{code}` | {values} | {slope}" if row.code else f"{row.reason} | |"
            lines.append(f"| {row.name} | {cells} |")
        parts += [f"## {source}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Write the page, or only check it; returns how many problems there are."""
    table, tests = rows(), checks()
    found = problems(table, tests)
    if "--check" not in sys.argv:
        PAGE.write_text(page(table, tests))
    elif not PAGE.exists() or PAGE.read_text() != page(table, tests):
        found.append("docs/catalogue.md is not what make.py makes of the code: run it")
    print("\n".join(found) or f"{PAGE.name}: {sum(map(len, table.values()))} rows, no problem")
    return len(found)


if __name__ == "__main__":
    sys.exit(bool(main()))
