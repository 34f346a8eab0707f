import csv
import json
import math
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet.train import TrainState, log
from jaxnet.train.event import Event, Rate, Stop
from jaxnet.train.history import History
from jaxnet.train.log import csv_log, jsonl_log, tensorboard, wandb

state = TrainState(jnp.zeros((), jnp.int32), {}, (), jax.random.key(0))
kinds = pytest.mark.parametrize(("make", "name"), [(csv_log, "a.csv"), (jsonl_log, "a.jsonl")])


def event(kind, step, metrics=None, **rates):
    return Event(
        kind=kind,
        step=step,
        epoch=step // 4,
        metrics=metrics or {},
        history=History(),
        state=state,
        rates=rates,
    )


def training(start, stop):
    """Two events of "steps" in an epoch of four steps, and what is validated from the second on."""
    for step in range(start + 2, stop + 1, 2):
        loss = 1 / (step + 3)
        yield event("steps", step, {"loss": loss}, speed=2.0)
        if step % 4 == 0:
            val = {"val_loss": loss * 2} if step > 4 else {}
            yield event("epoch", step, {"loss": loss, **val})


def write(callback, start, stop):
    for e in (event("start", start), *training(start, stop), event("end", stop)):
        assert callback(e) is None


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(log.time, "time", lambda: 5.0)


def test_csv_rows(tmp_path):
    write(csv_log(tmp_path / "new" / "log.csv"), 0, 8)
    with (tmp_path / "new" / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["kind", "step", "epoch", "time", "loss", "speed", "val_loss"]
    assert [(row["kind"], row["step"], row["epoch"]) for row in rows] == [
        ("steps", "2", "0"),
        ("steps", "4", "1"),
        ("epoch", "4", "1"),
        ("steps", "6", "1"),
        ("steps", "8", "2"),
        ("epoch", "8", "2"),
    ]
    assert [row["loss"] for row in rows] == [repr(1 / (s + 3)) for s in (2, 4, 4, 6, 8, 8)]
    assert [row["speed"] for row in rows] == ["2.0", "2.0", "", "2.0", "2.0", ""]
    assert [row["val_loss"] for row in rows] == [""] * 5 + [repr(2 / 11)]


def test_jsonl_rows(tmp_path):
    write(jsonl_log(tmp_path / "log.jsonl"), 0, 4)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    first = {"kind": "steps", "step": 2, "epoch": 0, "time": 5.0, "loss": 1 / 5, "speed": 2.0}
    assert rows[0] == first and len(rows) == 3
    assert rows[2] == {"kind": "epoch", "step": 4, "epoch": 1, "time": 5.0, "loss": 1 / 7}


@kinds
def test_the_log_of_a_run_that_was_killed_and_resumed(make, name, tmp_path):
    write(make(tmp_path / name), 0, 16)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    write(make(tmp_path / name), 0, 8)
    # The rows up to the checkpoint at step 8 are there, and more, the last one perhaps in part.
    for cut in range(len((tmp_path / name).read_bytes()), len(whole), 11):
        (tmp_path / name).write_bytes(whole[:cut])
        write(make(tmp_path / name), 8, 16)
        assert (tmp_path / name).read_bytes() == whole


@kinds
def test_a_file_cut_anywhere_is_still_ours(make, name, tmp_path):
    write(make(tmp_path / name), 0, 4)
    whole = (tmp_path / name).read_bytes()
    for cut in range(0, len(whole), 7):
        (tmp_path / name).write_bytes(whole[:cut])
        make(tmp_path / name)(event("start", 2))
        lines = (tmp_path / name).read_text().splitlines()
        assert lines == whole[:cut].decode().splitlines()[: len(lines)]


@kinds
def test_a_run_begun_anew_moves_the_log_of_another_aside(make, name, tmp_path):
    for stop in (4, 8, 12):
        write(make(tmp_path / name), 0, stop)
    steps = []
    for path in (f"a.1.{name[2:]}", f"a.2.{name[2:]}", name):
        rows = make(tmp_path / name).parse((tmp_path / path).read_text())
        steps.append(int(rows[-1]["step"]))
    assert steps == [4, 8, 12] and len(list(tmp_path.iterdir())) == 3


@kinds
@pytest.mark.parametrize(
    "text", ["x,y\n1,2\n", "notes", '{"a": 1}\n', "kind,step,epoch\n", "kind of\n", "\xff"]
)
def test_a_file_of_something_else_is_left_alone(make, name, text, tmp_path):
    (tmp_path / name).write_text(text, encoding="latin-1")
    for step in (0, 4):
        with pytest.raises(ValueError, match=rf"{name} exists, but is not a log in this format"):
            make(tmp_path / name)(event("start", step))
    assert (tmp_path / name).read_text(encoding="latin-1") == text


@kinds
def test_an_empty_file_is_taken(make, name, tmp_path):
    (tmp_path / name).touch()
    write(make(tmp_path / name), 0, 4)
    assert (tmp_path / name).read_text().startswith(make(tmp_path / name).start)


@kinds
@pytest.mark.parametrize(("metrics", "rates"), [({"step": 1.0}, {}), ({"loss": 1.0}, {"loss": 1})])
def test_names_that_are_taken(make, name, metrics, rates, tmp_path):
    with pytest.raises(ValueError, match=f"'{next(iter(metrics))}', but the log has a column of"):
        make(tmp_path / name)(event("steps", 1, metrics, **rates))


@kinds
@settings(max_examples=25)
@given(
    metrics=st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\r")).map("m{}".format),
        st.floats(),
    )
)
def test_any_name_and_number_come_back(make, name, metrics):
    with tempfile.TemporaryDirectory() as folder:
        callback = make(Path(folder) / name)
        callback(event("steps", 1, metrics))
        callback(event("steps", 2, {"loss": 0.5}))
        callback(event("start", 1))
        (row,) = callback.parse((Path(folder) / name).read_bytes().decode())
    for key, value in metrics.items():
        assert float(row[key]).hex() == value.hex() or math.isnan(value)


def test_a_killed_process_keeps_its_rows(tmp_path):
    code = f"""
import os, signal
from jaxnet.train.event import Event
from jaxnet.train.log import csv_log
log = csv_log({str(tmp_path / "log.csv")!r})
for kind, step in (("start", 0), ("steps", 1), ("steps", 2)):
    log(Event(kind=kind, step=step, epoch=0, metrics=dict(loss=1.0), history={{}}, state=None))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert (tmp_path / "log.csv").read_text().count("\n") == 3


def test_tensorboard(monkeypatch, tmp_path):
    calls = []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            calls.append(("open", folder, purge_step))

        def add_scalar(self, name, value, step):
            calls.append((name, value, step))

        def flush(self):
            calls.append("flush")

        def close(self):
            calls.append("close")

    monkeypatch.setitem(
        sys.modules, "tensorboardX", types.SimpleNamespace(SummaryWriter=SummaryWriter)
    )
    write(tensorboard(tmp_path), 4, 8)
    assert calls == [
        ("open", str(tmp_path), 5),
        "flush",
        *[("train/loss", 1 / 9, 6), ("rate/speed", 2.0, 6), "flush"],
        *[("train/loss", 1 / 11, 8), ("rate/speed", 2.0, 8), "flush"],
        *[("epoch/loss", 1 / 11, 8), ("epoch/val_loss", 2 / 11, 8), "flush"],
        *["flush", "close"],
    ]


def test_wandb(monkeypatch):
    calls = []
    run = types.SimpleNamespace(
        define_metric=lambda *args, **options: calls.append((args, options)),
        log=calls.append,
        finish=lambda: calls.append("finish"),
    )

    def init(**options):
        calls.append(options)
        return run

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    write(wandb("digits", id="7", resume="allow"), 4, 8)
    assert calls == [
        {"project": "digits", "id": "7", "resume": "allow"},
        (("*",), {"step_metric": "step"}),
        {"train/loss": 1 / 9, "rate/speed": 2.0, "step": 6, "epoch": 1},
        {"train/loss": 1 / 11, "rate/speed": 2.0, "step": 8, "epoch": 2},
        {"epoch/loss": 1 / 11, "epoch/val_loss": 2 / 11, "step": 8, "epoch": 2},
        "finish",
    ]


@pytest.mark.parametrize(
    ("make", "module", "extra"),
    [(tensorboard, "tensorboardX", "log"), (wandb, "wandb", "wandb")],
    ids=["tensorboard", "wandb"],
)
def test_without_the_package_the_error_names_the_extra(make, module, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"pip install 'jaxnet\[{extra}\]'"):
        make("runs")


def test_actions_say_what_is_wrong_with_them():
    assert Stop("done").reason == "done" and Rate(0.5).factor == 0.5
    for reason in ("", None):
        with pytest.raises(ValueError, match="Stop needs its reason in words"):
            Stop(reason)  # pyright: ignore[reportArgumentType]
    for factor in (0, -1.0, math.nan, "half"):
        with pytest.raises(ValueError, match="the factor of Rate must be a number above 0"):
            Rate(factor)  # pyright: ignore[reportArgumentType]
