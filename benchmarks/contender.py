"""A contender as the run sees it: who it is, its environment, its process and its times."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.workload import FOLDER, Task

ROOT = Path(__file__).parent.parent
# The folder of ``make peers`` that a contender runs in, and what must be found there.
PEERS = {"pytorch": "torch", "keras": "keras", "flax": "flax", "equinox": "equinox"}
PEERS |= {"haiku": "haiku"}
CONTENDERS = ("jaxnet", "handwritten", *PEERS)


def python(who: str) -> str | None:
    """The interpreter a contender runs in, if there is one: its own environment's, or this one."""
    if who not in PEERS:
        return sys.executable
    shared = who if who in ("pytorch", "keras") else "jax"
    own = ROOT / ".peers" / shared / "bin" / "python"
    if own.exists():
        return str(own)
    return sys.executable if find_spec(PEERS[who]) else None


@dataclass
class Contender:
    """One that takes part, with its seconds a unit of each round that was not disturbed."""

    who: str
    variant: str
    task: Task
    times: list[float] = field(default_factory=list)
    disturbed: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    numbers: list[float] = field(default_factory=list)
    units: int = 1

    @property
    def name(self) -> str:
        """As it is printed."""
        return f"{self.who} {self.variant}".strip()

    def environment(self) -> dict[str, str]:
        """Of its process: the device, and on CPU as many threads as there are cores."""
        platforms = {"cpu": "cpu", "gpu": "cuda", "tpu": "tpu"}
        own = {
            "JAX_PLATFORMS": platforms[self.task.device],
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            # Each measures its own compiling.
            "JAXNET_COMPILE_CACHE": "off",
            # Several contenders share the device.
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }
        folder, kept = str(Path(self.task.file).parent / self.who), self.task.settings.get("kept")
        if kept:
            # The next process loads what jaxnet keeps of itself.
            own |= {"JAXNET_COMPILE_CACHE": "", "XDG_CACHE_HOME": folder}
        if kept == "all":
            # The next process loads all that JAX compiled, whoever called it.
            own |= {
                "JAX_COMPILATION_CACHE_DIR": folder,
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            }
        if self.who == "keras":
            own["KERAS_BACKEND"] = self.variant
        # Else the sources of this library would be compiled anew by each process.
        others = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return others | own

    def start(self) -> None:
        """Start its process, build, and check; raises RuntimeError if it fails."""
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115  # stop() closes it
        command = [str(python(self.who)), "-m", "benchmarks.worker", self.who, self.variant]
        self.process = subprocess.Popen(
            [*command, self.task.dumps()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            text=True, cwd=ROOT, env=self.environment(),
        )  # fmt: skip
        self.versions = self._answer()["versions"]
        checked = self._ask("check")
        self.numbers, self.figures = checked["numbers"], checked["figures"]

    def run(self, units: int) -> float:
        """Seconds a unit, of so many in a row."""
        return self._ask(units)

    def stop(self) -> None:
        """End its process."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()

    def whole(self) -> float:
        """Seconds of a whole process, whose last line of output are its numbers."""
        file = FOLDER / self.task.workload / f"{self.who}.py"
        # Without -P a neighbour named like a library would stand for it.
        settings = json.dumps(self.task.settings)
        command = [str(python(self.who)), "-P", str(file), settings, self.variant]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment())
        seconds = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(f"{self.name} failed:\n{done.stderr[-2000:]}")
        self.numbers = json.loads(done.stdout.strip().splitlines()[-1])
        return seconds

    def _ask(self, request: Any) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError(f"{self.name} failed:\n{self.log.read()[-2000:]}")
        return json.loads(line)
