"""A contender's process: it builds its trial, then does what is asked of it, a line of JSON each.

    python -m benchmarks.worker CONTENDER VARIANT TASK

``"check"`` answers with the numbers to compare, a number runs so many units and answers with the
seconds of one. ``python -m benchmarks.worker arrays TASK`` writes the arrays with which all begin.
"""

import importlib
import json
import os
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from benchmarks.workload import Task, contender

PACKAGES = ("jax", "jaxlib", "optax", "torch", "keras", "tensorflow", "flax", "equinox", "dm-haiku")


def write_arrays(task: Task) -> None:
    """Data and weights, in the task's file."""
    arrays = importlib.import_module(f"benchmarks.workloads.{task.workload}").data(task.settings)
    weights = getattr(contender(task.workload, "jaxnet"), "weights", None)
    if weights is not None:
        arrays |= {f"weights/{path}": x for path, x in flat(weights(task.settings)).items()}
    np.savez(task.file, **arrays)


def flat(tree: Any, at: str = "") -> dict[str, np.ndarray]:
    """The leaves of nested dicts by their paths."""
    if not isinstance(tree, dict):
        return {at: np.asarray(tree)}
    parts = (flat(node, f"{at}/{name}" if at else name) for name, node in tree.items())
    return {path: leaf for part in parts for path, leaf in part.items()}


def versions() -> dict[str, str]:
    """Those of the libraries that this process has loaded."""
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        if name.removeprefix("dm-") in sys.modules:
            try:
                found[name] = version(name)
            except PackageNotFoundError:  # a build of one's own
                found[name] = "unknown"
    return found


def main() -> None:
    """Build, then answer."""
    # What libraries print must not stand between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    who, *variant, task = sys.argv[1:]
    task = Task.loads(task)
    if who == "arrays":
        return write_arrays(task)

    def answer(value: Any) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    began = time.perf_counter()
    trial = contender(task.workload, who).build(task, *variant)
    built = {"build_seconds": time.perf_counter() - began}
    answer({"versions": versions()})
    for line in sys.stdin:
        request = json.loads(line)
        if request == "check":
            # How much memory was needed is known after the first steps.
            numbers = trial.check()
            answer({"numbers": numbers, "figures": trial.figures | built})
            continue
        began = time.perf_counter()
        done = trial.run(request)
        answer((time.perf_counter() - began) / done)
    return None


if __name__ == "__main__":
    main()
