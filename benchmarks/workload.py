"""What a workload is, what its contenders are given, and what they give back."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

Settings = Mapping[str, Any]
Kind = Literal["steps", "process"]
FOLDER = Path(__file__).parent / "workloads"


@dataclass(frozen=True)
class Workload:
    """Work that contenders do, in cases that differ by their settings.

    ``cases`` has by name those for ``"cpu"``, ``"gpu"`` or ``"tpu"``, and ``"small"`` ones with
    which a workload for accelerators is tried without one; ``contenders`` has the variants of each.
    ``"steps"`` are timed in processes that stay, ``"process"`` is the time of a whole one. ``unit``
    is what is timed; ``items`` is the setting that says how many examples or tokens it has.
    ``tolerance`` is how far the contenders' numbers may be apart, relative to the largest.
    ``together=False`` is for what cannot share a device's memory: each contender then makes all its
    rounds alone. ``quick`` workloads are those of a newcomer's table. A case's own settings may say
    ``"quick": False`` and which contenders, or variants of them, it is ``"without"``.
    """

    title: str
    cases: Mapping[str, Mapping[str, Settings]]
    contenders: Mapping[str, tuple[str, ...]]
    unit: str = "step"
    kind: Kind = "steps"
    items: str | None = None
    tolerance: float = 1e-3
    together: bool = True
    quick: bool = False

    def on(self, device: str) -> Mapping[str, Settings]:
        """The cases for a device."""
        if device in self.cases or device == "cpu":
            return self.cases.get(device, {})
        return self.cases.get("gpu", {})


@dataclass(frozen=True)
class Task:
    """A case as a contender gets it: the settings, the device, and a file with its arrays."""

    workload: str
    settings: Settings
    device: str
    file: str = ""

    @property
    def data(self) -> dict[str, np.ndarray]:
        """The data by its names."""
        return self._arrays(lambda name: not name.startswith("weights/"))

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The weights by their path in jaxnet's parameters."""
        arrays = self._arrays(lambda name: name.startswith("weights/"))
        return {name.removeprefix("weights/"): x for name, x in arrays.items()}

    def _arrays(self, wanted: Callable[[str], bool]) -> dict[str, np.ndarray]:
        with np.load(self.file) as stored:
            return {name: stored[name] for name in stored.files if wanted(name)}

    def dumps(self) -> str:
        """As a line of JSON."""
        return json.dumps(vars(self))

    @classmethod
    def loads(cls, line: str) -> "Task":
        """From a line of JSON."""
        return cls(**json.loads(line))


class Trial(Protocol):
    """A contender that is ready to work.

    ``figures`` is what it says beside its time: ``flops`` of a unit, ``temporary_bytes``, …
    """

    figures: dict[str, float]

    def check(self) -> list[float]:
        """Numbers on which all contenders must agree, from the weights given."""
        ...

    def run(self, n: int) -> int:
        """Do the unit ``n`` times, to its end, or more where it comes in groups; how many."""
        ...


def names() -> list[str]:
    """All workloads."""
    return sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)]))


def find(name: str) -> Workload:
    """A workload by its name."""
    return importlib.import_module(f"benchmarks.workloads.{name}").WORKLOAD


def contender(name: str, who: str) -> Any:
    """The file of a contender."""
    return importlib.import_module(f"benchmarks.workloads.{name}.{who}")
