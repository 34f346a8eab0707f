"""One run: every case of the workloads asked for, and a row for each contender that took part."""

import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contender import ROOT, Contender, python
from benchmarks.machine import machine
from benchmarks.rounds import Say, measure
from benchmarks.workload import Task, Workload, find

Row = dict[str, Any]


def run(
    names: Sequence[str],
    device: str,
    against: Collection[str],
    *,
    rounds: int,
    seconds: float,
    sizes: str,
    quick: bool,
    say: Say,
    keep: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """The results of all workloads, with the machine and the settings that they were made with.

    ``keep`` is given those so far after each workload.
    """
    result = {
        "machine": machine(device),
        "settings": {"rounds": rounds, "seconds_a_round": seconds, "sizes": sizes, "quick": quick},
        "ceilings": ceilings(device),
        "versions": {},
        "rows": [],
    }
    for name in names:
        workload = find(name)
        for case, settings in workload.on(sizes).items():
            if quick and not settings.get("quick", True):
                continue
            say(f"{workload.title}{', ' + case if case else ''}")
            task = Task(name, settings, device)
            with tempfile.TemporaryDirectory() as folder:
                parts = contenders(workload, task, against, quick, Path(folder), say)
                done = measure(parts, workload.kind, rounds, seconds, workload.together, say)
            done = agreeing(done, workload, say)
            for each in done:
                result["versions"][each.name] = each.versions
                result["rows"].append(row(each, workload, name, case, done))
                say(f"  {line(result['rows'][-1])}")
        keep(result)
    return result


def contenders(
    workload: Workload, task: Task, against: Collection[str], quick: bool, folder: Path, say: Say
) -> list[Contender]:
    """Those that are asked for and whose libraries are there, with the arrays to begin with."""
    task = dataclasses.replace(task, file=str(folder / "arrays.npz"))
    if workload.kind == "steps":
        subprocess.run(
            [sys.executable, "-m", "benchmarks.worker", "arrays", task.dumps()],
            cwd=ROOT, check=True, env=Contender("jaxnet", "", task).environment(),
        )  # fmt: skip
    found = []
    for who, variants in workload.contenders.items():
        if who != "jaxnet" and who not in against:
            continue
        if python(who) is None:
            say(f"  {who} is not there: `make peers` makes environments for the others")
            continue
        # A compiler of minutes is nothing for a newcomer's table.
        slow = quick and who == "pytorch"
        variants = [each for each in variants if not (slow and "compiled" in each)]
        found += [Contender(who, variant, task) for variant in variants]
    without = set(task.settings.get("without", ()))
    return [each for each in found if not {each.who, each.name} & without]


def agreeing(done: list[Contender], workload: Workload, say: Say) -> list[Contender]:
    """Without those that computed something else than jaxnet: theirs is the time of other work."""
    found: list[Contender] = []
    for each in done:
        right = (found or done)[0].numbers
        most = workload.tolerance * (max(map(abs, right), default=0.0) or 1.0)
        pairs = zip(each.numbers, right, strict=False)
        if len(each.numbers) == len(right) and all(abs(x - y) <= most for x, y in pairs):
            found.append(each)
        else:
            say(
                f"  {each.name} is left out: it computed {each.numbers}, but {done[0].name} {right}"
            )
    return found


def row(each: Contender, workload: Workload, name: str, case: str, done: list[Contender]) -> Row:
    """A contender's result; times in seconds a unit."""
    low, middle, high = quartiles(each.times)
    items = each.task.settings[workload.items] if workload.items else None
    flops = next((x.figures["flops"] for x in done if "flops" in x.figures), None)
    return {
        "workload": name,
        "case": case,
        "title": workload.title,
        "unit": workload.unit,
        "contender": each.who,
        "variant": each.variant,
        "seconds": middle,
        "quartiles": [low, high],
        "rounds": len(each.times),
        "disturbed": each.disturbed,
        "units_a_round": each.units,
        "items": items,
        "flops": flops,
        "figures": each.figures,
        "numbers": each.numbers,
        "settings": dict(each.task.settings),
    }


def quartiles(times: list[float]) -> tuple[float, float, float]:
    """The lower one, the median, the upper one."""
    if len(times) < 2:
        return times[0], times[0], times[0]
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return low, middle, high


def line(row: Row) -> str:
    """A row in short."""
    low, high = row["quartiles"]
    name = f"{row['contender']} {row['variant']}".strip()
    return f"{name:34} {1e3 * row['seconds']:10.4g} ms ({1e3 * low:.4g} to {1e3 * high:.4g})"


def ceilings(device: str) -> dict[str, float]:
    """Measured in a process that then leaves the device alone."""
    task = Task("", {}, device)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ceilings"],
        cwd=ROOT, check=True, capture_output=True, text=True,
        env=Contender("jaxnet", "", task).environment(),
    )  # fmt: skip
    return json.loads(done.stdout.strip().splitlines()[-1])
