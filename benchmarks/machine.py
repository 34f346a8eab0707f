"""Where and with what a run was made: the machine, its device, and the revision."""

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

from benchmarks.contender import ROOT
from benchmarks.peaks import peak


def machine(device: str) -> dict[str, object]:
    """The facts a figure needs to be understood."""
    name = processor() if device == "cpu" else accelerator()
    return {
        "device": device,
        "name": name,
        "peak": peak(name),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "date": datetime.date.today().isoformat(),
        "revision": revision(),
    }


def processor() -> str:
    """The processor's own name for itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def accelerator() -> str:
    """What JAX calls it, asked in a process that then leaves the device alone."""
    program = "import jax; print(jax.device_count(), 'x', jax.devices()[0].device_kind)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1] if done.returncode == 0 else "unknown"


def revision() -> str:
    """The checkout's commit, with a plus where files differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout

    commit = git("rev-parse", "--short=12", "HEAD").strip() or "unknown"
    return commit + ("+" if git("status", "--porcelain", "--untracked-files=no").strip() else "")
