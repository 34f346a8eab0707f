"""A run that was killed, anywhere and often, ends with the bits of one that was not.

Of the modules here ``resumable`` is the program that is killed.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("resumable.py")


def start(folder, epochs, steps_per_dispatch):
    command = [sys.executable, "-W", "error", str(PROGRAM), str(folder), "--epochs", str(epochs)]
    command += ["--steps-per-dispatch", str(steps_per_dispatch)]
    settings = {"JAXNET_COMPILE_CACHE": "off", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    environment = os.environ | settings | {"PYTHONPATH": str(PROGRAM.parents[2])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def end(process):
    last = process.communicate()[0].splitlines()[-1]
    assert process.returncode == 0 and last.startswith("digest")
    return last


def kill_somewhere(process, chance, lines):
    """Kill a run some moments after one of its next dispatches; whether it was still running."""
    for _ in range(chance.randrange(1, lines)):
        process.stdout.readline()
    time.sleep(chance.random() * 0.02)
    process.kill()
    process.communicate()
    return process.returncode < 0


def compare(tmp_path, *, kills, epochs, steps_per_dispatch):
    chance, killed = random.Random(steps_per_dispatch), 0
    process = start(tmp_path / "killed", epochs, steps_per_dispatch)
    while killed < kills:
        lines = 2 + epochs * 20 // (kills * steps_per_dispatch)
        assert kill_somewhere(process, chance, lines), f"it ended after {killed} kills"
        killed += 1
        process = start(tmp_path / "killed", epochs, steps_per_dispatch)
    assert end(process) == end(start(tmp_path / "whole", epochs, steps_per_dispatch))


def test_a_run_that_was_killed_ends_with_the_same_bits(tmp_path):
    compare(tmp_path, kills=1, epochs=2, steps_per_dispatch=7)


@pytest.mark.soak
@pytest.mark.parametrize("steps_per_dispatch", [1, 7])
def test_a_run_that_was_killed_fifty_times_ends_with_the_same_bits(tmp_path, steps_per_dispatch):
    compare(tmp_path, kills=50, epochs=40, steps_per_dispatch=steps_per_dispatch)
