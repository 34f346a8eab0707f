"""Keeping memory: what the system sees of a process that frees and allocates large arrays."""

import platform
import subprocess
import sys

import pytest

from jaxnet.train.allocator import keep_memory

# Counts the pages that the system has to give for large arrays, where one has been freed before.
PROGRAM = """
import resource
import numpy as np
from jaxnet.train.allocator import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(3):
        np.ones(2**26, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

{call}
faults()
print(faults())
"""


def faults(call):
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(call=call)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="keep_memory is for glibc")
def test_freed_memory_is_used_again_without_asking_the_system():
    assert faults("keep_memory()") * 4 < faults("")


def test_another_c_library_is_named(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(ValueError, match="glibc's allocator, but this Python runs on Darwin"):
        keep_memory()


def test_a_refusal_is_told(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: Refusing)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.0"))
    with pytest.raises(ValueError, match=r"glibc 2\.0 refused option -4 of mallopt"):
        keep_memory()


class Refusing:
    @staticmethod
    def mallopt(option, value):
        return 0
