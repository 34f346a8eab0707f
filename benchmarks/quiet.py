"""Whether other processes took the processor's time while something was measured (Linux)."""

import os
import time
from pathlib import Path

PROC = Path("/proc")
# A share of all cores, and what the kernel's clock of a hundredth of a second cannot tell apart.
SHARE, TICKS = 0.05, 0.03


class Watch:
    """From its making to ``disturbed()``."""

    def __init__(self) -> None:
        self.began, self.all, self.ours = time.perf_counter(), _busy(), _own()

    def disturbed(self) -> bool:
        """Whether others, or other machines on the same hardware, took more than a twentieth."""
        seconds = time.perf_counter() - self.began
        others = (_busy() - self.all) - (_own() - self.ours)
        return others > SHARE * seconds * (os.cpu_count() or 1) + TICKS


def _busy() -> float:
    """Seconds that the cores were not idle, the time that a hypervisor took away included."""
    try:
        fields = (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:  # not Linux: nothing is known
        return 0.0
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Seconds of this process and all that it started."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            # The name, in parentheses, may itself contain spaces and parentheses.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        parents[int(folder.name)] = int(fields[1])
        used[int(folder.name)] = sum(map(int, fields[11:15]))
    total = 0
    for process in parents:
        ancestor = process
        while ancestor > 1 and ancestor != os.getpid():
            ancestor = parents.get(ancestor, 0)
        if ancestor == os.getpid():
            total += used[process]
    return total / os.sysconf("SC_CLK_TCK") if parents else 0.0
