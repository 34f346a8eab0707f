import dataclasses
import json
import math
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet.train import TrainState
from jaxnet.train.event import Event
from jaxnet.train.history import History
from jaxnet.train.run_folder import RunFolder, _changes, _config
from jaxnet.train.versions import versions

# Few values and names, and a slash, so that configs are often nearly the same.
values = st.sampled_from([None, 0, 1, True, 1.0, math.nan, "", "null", [], {}, [1, None], (1,)])
names = st.sampled_from(["a", "b", "a/b", ""])
configs = st.dictionaries(names, values | st.dictionaries(names, values, max_size=2), max_size=2)


@dataclasses.dataclass(frozen=True)
class Model:
    width: int = 8
    sizes: tuple[int, ...] = (2, 3)


def record(path):
    return json.loads((path / "run.json").read_text())


def test_the_folder_says_how_to_run_again(tmp_path):
    run = RunFolder(tmp_path / "a" / "run", {"rate": 0.1})
    assert (run.checkpoints, run.log) == (run.path / "checkpoints", run.path / "log.csv")
    written = record(run.path)
    assert written["format"] == 1 and written["config"] == {"rate": 0.1}
    (session,) = written["sessions"]
    assert session["versions"] == versions() and session["versions"]["jax"] == jax.__version__
    assert session["devices"] == {"kind": jax.devices()[0].device_kind, "count": 4}
    assert session["folder"] == str(Path.cwd()) and session["command"] == shlex.join(sys.orig_argv)
    assert session["time"].endswith("Z") and "changes" not in session


def test_each_opening_is_noted_with_its_step_and_key(tmp_path):
    for step in (0, 7):
        run = RunFolder(tmp_path, {"rate": 0.1})
        state = TrainState(jnp.asarray(step, jnp.int32), {}, (), jax.random.key(5))
        for kind in ("start", "epoch"):
            run(Event(kind=kind, step=step, epoch=0, metrics={}, history=History(), state=state))
    sessions = record(tmp_path)["sessions"]
    assert [s["step"] for s in sessions] == [0, 7]
    assert [s["key"] for s in sessions] == [["threefry2x32", [0, 5]]] * 2


def test_another_config_is_refused_or_noted(tmp_path):
    RunFolder(tmp_path, {"rate": 0.1, "model": Model(), "old": None})
    before = (tmp_path / "run.json").read_bytes()
    new = {"rate": 0.2, "model": Model(sizes=(2, 4)), "seed": 3}
    with pytest.raises(ValueError, match="holds a run of another config") as error:
        RunFolder(tmp_path, new)
    for line in (
        "rate: was 0.1, is 0.2",
        "model/sizes: was [2, 3], is [2, 4]",
        "old: was null, is not there",
        "seed: was not there, is 3",
    ):
        assert f"\n  {line}\n" in str(error.value)
    assert "width" not in str(error.value) and (tmp_path / "run.json").read_bytes() == before
    run = RunFolder(tmp_path, new, allow_changes=True)
    assert run.config == {"rate": 0.2, "model": {"width": 8, "sizes": [2, 4]}, "seed": 3}
    assert record(tmp_path)["sessions"][1]["changes"]["rate"] == "was 0.1, is 0.2"
    assert len(RunFolder(tmp_path, new).sessions) == 3


@settings(max_examples=300)
@given(configs, configs)
def test_configs_differ_exactly_if_their_json_does(a, b):
    a, b = _config(a), _config(b)
    assert json.dumps(a) == json.dumps(json.loads(json.dumps(a)))
    same = json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    assert bool(_changes(a, b)) is not same
    assert not _changes(a, a)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2,)), [1, [2]]),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (Path("data") / "x", "data/x"),
        (Model(), {"width": 8, "sizes": [2, 3]}),
        (math.inf, math.inf),
        ([], []),
    ],
    ids=str,
)
def test_values_as_json_has_them(value, expected):
    given = _config({"x": value})["x"]
    assert given == expected and type(given) is type(expected)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"a": {"b": [0, jax.nn.relu]}},
            "a/b/1 is a .*, which run.json cannot hold; give its name",
        ),
        ({"a": np.zeros(3)}, r"a is float64\[3\], .* x.tolist\(\)"),
        ({"a": Model}, "a is a type"),
        ({"a": {1}}, "a is a set"),
        ({"a": np.longdouble(1)}, "a is .*longdouble|a is float"),
        ({"a": {3: 1}}, "a has the key 3; write it as a string"),
        ({3: 1}, "the config has the key 3"),
        ([1], "a config is a dict or a dataclass, but this is a list"),
    ],
    ids=["function", "array", "type", "set", "longdouble", "key", "top key", "list"],
)
def test_configs_that_json_cannot_hold(config: Any, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        RunFolder(tmp_path / "run", config)
    assert not (tmp_path / "run").exists()


def test_a_folder_of_something_else(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match="is not the folder of a run: it holds files, but no run"):
        RunFolder(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "run.json is damaged or of something else"),
        ("[]", "run.json is damaged or of something else"),
        (
            '{"format": 1, "config": {}}',
            r"is damaged or of something else \(KeyError\('sessions'\)",
        ),
        ('{"format": 2, "config": {}, "sessions": []}', "has format 2, but this jaxnet knows form"),
    ],
    ids=["cut", "list", "missing", "newer"],
)
def test_a_damaged_record(text, message, tmp_path):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        RunFolder(tmp_path, {})
    assert (tmp_path / "run.json").read_text() == text


def test_the_commit_of_the_working_directory(tmp_path, monkeypatch):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert RunFolder("before", {}).sessions[0]["git"] is None
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    dirty = RunFolder("dirty", {}).sessions[0]["git"]
    assert dirty["dirty"] is True and len(dirty["commit"]) == 40
    (tmp_path / ".gitignore").write_text("*\n")
    assert RunFolder("clean", {}).sessions[0]["git"] == {"commit": dirty["commit"], "dirty": False}
    monkeypatch.setenv("PATH", "")
    assert RunFolder("without", {}).sessions[0]["git"] is None


def test_the_command_is_the_one_that_was_typed(tmp_path):
    script = (
        f"from jaxnet.train.run_folder import RunFolder; RunFolder({str(tmp_path / 'r')!r}, {{}})"
    )
    subprocess.run([sys.executable, "-c", script, "--rate", "a b"], check=True)
    assert record(tmp_path / "r")["sessions"][0]["command"].endswith("--rate 'a b'")
