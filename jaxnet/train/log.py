"""Callbacks that write training down: ``csv_log("run/log.csv")``, handed to ``fit``.

A row is written for each "steps" and each "epoch" event, at once, so that a killed run keeps them
all. When the run resumes from an earlier step, rows of later steps are cut away first: the log ends
up equal to that of a run that was never killed, but for times.
"""

import csv
import io
import json
import os
import time
from pathlib import Path
from typing import Any

from jaxnet.core.errors import listing
from jaxnet.core.tensors import write_atomically
from jaxnet.train.event import Callback, Event

type Row = dict[str, Any]


def csv_log(path: str | os.PathLike[str]) -> Callback:
    """A callback that writes a table, with a column for each metric and rate.

    ``kind`` is "steps" or "epoch", ``time`` is in seconds since 1970, and a metric that an event
    lacks is an empty field; ``pandas.read_csv(path).query("kind == 'epoch'")`` is the history.
    A run that begins at step 0 moves a log that is there aside, to ``log.1.csv`` and so on.
    Raises ValueError if the file was not written by this function, and for a metric named like one
    of the first columns: kind, step, epoch, time.

    >>> import tempfile
    >>> from jaxnet.train.history import History
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = csv_log(f"{folder}/log.csv")
    ...     for kind, means in (("start", {}), ("epoch", {"loss": 0.5})):
    ...         log(Event(kind=kind, step=8, epoch=1, metrics=means, history=History(), state=None))
    ...     Path(f"{folder}/log.csv").read_text().splitlines()[0]
    'kind,step,epoch,time,loss'
    """
    return _CsvLog(Path(path))


def jsonl_log(path: str | os.PathLike[str]) -> Callback:
    """A callback that writes lines of JSON, each with the metrics and rates of its event.

    As ``csv_log``, but without empty fields. Numbers that are not finite are NaN and Infinity, as
    Python and pandas read them.

    >>> import tempfile
    >>> from jaxnet.train.history import History
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = jsonl_log(f"{folder}/log.jsonl")
    ...     for kind, means in (("start", {}), ("epoch", {"loss": 0.5})):
    ...         log(Event(kind=kind, step=8, epoch=1, metrics=means, history=History(), state=None))
    ...     json.loads(Path(f"{folder}/log.jsonl").read_text())["loss"]
    0.5
    """
    return _JsonlLog(Path(path))


def tensorboard(folder: str | os.PathLike[str]) -> Callback:
    """A callback that writes what ``tensorboard --logdir folder`` shows.

    The means of "steps" events are under ``train/``, those of epochs, with ``val_…``, under
    ``epoch/``, rates under ``rate/``. Of a killed run TensorBoard leaves out what comes after the
    step from which it was resumed. Needs tensorboardX: the extra ``log``.

    >>> callbacks = [tensorboard("runs/digits")]  # doctest: +SKIP
    """
    try:
        from tensorboardX import SummaryWriter  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("tensorboard needs tensorboardX: pip install 'jaxnet[log]'") from error
    writer: Any = None

    def log(event: Event) -> None:
        nonlocal writer
        if event.kind == "start":
            writer = SummaryWriter(os.fspath(folder), purge_step=event.step + 1)
        for name, value in _tags(event).items():
            writer.add_scalar(name, value, event.step)
        writer.flush()
        if event.kind == "end":
            writer.close()

    return log


def wandb(project: str, **options: Any) -> Callback:
    """A callback that logs to Weights & Biases; ``options`` are those of ``wandb.init``.

    Names are as in ``tensorboard``, over the axis ``step``. To go on in the same run give its
    ``id`` and ``resume="allow"``; W&B keeps what a killed run logged after its checkpoint, so those
    steps are there twice. Needs wandb: the extra ``wandb``.

    >>> callbacks = [wandb("digits", id="run-1", resume="allow")]  # doctest: +SKIP
    """
    try:
        import wandb  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("wandb is not installed: pip install 'jaxnet[wandb]'") from error
    run: Any = None

    def log(event: Event) -> None:
        nonlocal run
        if event.kind == "start":
            run = wandb.init(project=project, **options)
            # By its own count W&B drops a step below one it has seen, as a resumed run logs.
            run.define_metric("*", step_metric="step")
        if tags := _tags(event):
            run.log({**tags, "step": event.step, "epoch": event.epoch})
        if event.kind == "end":
            run.finish()

    return log


def _tags(event: Event) -> dict[str, float]:
    if event.kind not in ("steps", "epoch"):
        return {}
    room = "train" if event.kind == "steps" else "epoch"
    metrics = {f"{room}/{name}": value for name, value in event.metrics.items()}
    return metrics | {f"rate/{name}": value for name, value in event.rates.items()}


class _Log:
    """A callback that keeps a file of rows, in the format that a subclass knows."""

    # How every file of the format begins.
    start: str

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, event: Event) -> None:
        if event.kind == "start":
            self.resume(event.step)
        elif event.kind != "end":
            self.append(_row(event))

    def resume(self, step: int) -> None:
        """Leave the whole rows up to a step; at step 0 begin anew."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            return
        try:
            text = self.path.read_bytes().decode()
            if not self.start.startswith(text[: len(self.start)]):
                raise ValueError
            # A line without an end was cut off when the run was killed.
            rows = self.parse(text[: text.rfind("\n") + 1])
            kept = [row for row in rows if int(row["step"]) <= step]
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"{self.path} exists, but is not a log in this format: its rows would begin with "
                f"{self.start!r}; choose another path, or move the file away"
            ) from None
        if rows and step == 0:
            self.path.rename(_unused(self.path))
        else:
            write_atomically(self.path, self.text(kept).encode())

    def append(self, row: Row) -> None:
        self.add(self.text([row]))

    def add(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.write(text)

    def parse(self, text: str) -> list[Row]:
        raise NotImplementedError

    def text(self, rows: list[Row]) -> str:
        raise NotImplementedError


class _JsonlLog(_Log):
    start = '{"kind": '

    def parse(self, text: str) -> list[Row]:
        return [json.loads(line) for line in text.splitlines()]

    def text(self, rows: list[Row]) -> str:
        return "".join(json.dumps(row) + "\n" for row in rows)


class _CsvLog(_Log):
    start = "kind,step,epoch,time"

    def append(self, row: Row) -> None:
        columns = self.columns()
        if row.keys() <= set(columns):
            self.add(_table([row], columns))
        else:
            rows = self.parse(self.path.read_bytes().decode()) if columns else []
            write_atomically(self.path, self.text([*rows, row]).encode())

    def columns(self) -> list[str]:
        if not self.path.exists():
            return []
        with self.path.open(encoding="utf-8", newline="") as file:
            return next(csv.reader(file), [])

    def parse(self, text: str) -> list[Row]:
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def text(self, rows: list[Row]) -> str:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        return _table([dict(zip(columns, columns, strict=True)), *rows], columns) if rows else ""


def _table(rows: list[Row], columns: list[str]) -> str:
    file = io.StringIO(newline="")
    csv.DictWriter(file, columns, lineterminator="\n").writerows(rows)
    return file.getvalue()


def _row(event: Event) -> Row:
    first = {"kind": event.kind, "step": event.step, "epoch": event.epoch}
    row: Row = first | {"time": round(time.time(), 3)}
    for name, value in [*event.metrics.items(), *event.rates.items()]:
        if name in row:
            raise ValueError(
                f"a metric is called {name!r}, but the log has a column of that name already: "
                f"{listing(row)}; rename the metric in loss_fn"
            )
        row[name] = float(value)
    return row


def _unused(path: Path) -> Path:
    number = 1
    while (aside := path.with_suffix(f".{number}{path.suffix}")).exists():
        number += 1
    return aside
