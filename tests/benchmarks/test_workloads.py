import importlib
import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.contender import CONTENDERS, ROOT
from benchmarks.workload import FOLDER, find, names

DEVICES = ("cpu", "gpu", "tpu", "small")


@pytest.mark.parametrize("name", names())
def test_a_workload_is_whole(name):
    workload = find(name)
    assert next(iter(workload.contenders)) == "jaxnet"
    assert workload.contenders.keys() <= set(CONTENDERS)
    assert workload.cases.keys() <= set(DEVICES)
    files = {each.stem for each in (FOLDER / name).glob("*.py")} - {"__init__"}
    assert files == workload.contenders.keys()
    for cases in workload.cases.values():
        for settings in cases.values():
            json.dumps(settings)
            assert workload.items is None or workload.items in settings


@pytest.mark.parametrize("name", [name for name in names() if find(name).kind == "steps"])
def test_data_is_the_same_each_time(name):
    cases = find(name).cases
    settings = next(iter((cases.get("small") or cases.get("cpu") or {}).values()))
    data = importlib.import_module(f"benchmarks.workloads.{name}").data
    first, again = data(settings), data(settings)
    assert first.keys() == again.keys()
    for key, x in first.items():
        assert isinstance(x, np.ndarray)
        np.testing.assert_array_equal(x, again[key])


def bench(*args):
    command = [sys.executable, "-m", "benchmarks", *map(str, args)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_run_from_the_command_line(tmp_path):
    file = tmp_path / "x.json"
    options = "--against", "handwritten", "--rounds", 2, "--seconds", 0.01
    done = bench("mlp", *options, "--out", file)
    assert done.returncode == 0, done.stderr
    result = json.loads(file.read_text())
    assert {row["contender"] for row in result["rows"]} == {"jaxnet", "handwritten"}
    assert file.with_suffix(".png").exists()
    assert "MLP" in bench("--compare", file, file).stdout
    assert "| MLP 784-512-512-10" in bench("--markdown", file).stdout


def test_what_is_not_there_is_named():
    done = bench("mpl")
    assert done.returncode == 2 and "there is no workload mpl; there are" in done.stderr
    done = bench("--compare", "none.json", "none.json")
    assert done.returncode == 1 and "none.json is not a file of results" in done.stderr
