"""The folder of a run: its results, and what it takes to get them again."""

import dataclasses
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnet.core.errors import describe, is_array
from jaxnet.core.tensors import write_atomically
from jaxnet.train.event import Event
from jaxnet.train.versions import versions

_FORMAT = 1


class RunFolder:
    """Creates the folder of a run, or opens it again; a callback that notes where the run starts.

    ``config`` is what the caller wants to remember: a dict or dataclass of numbers, strings, lists
    and further ones. ``run.json`` holds it, and for each time that the folder was opened the time,
    command, working directory, git commit, versions and devices; handed to ``fit`` as a callback,
    also the step from which training went on and its random key.
    Opened with another config, the folder raises ValueError that says what differs, unless
    ``allow_changes``: the new config is then the one in force, and its differences are noted.
    Raises ValueError for a config that JSON cannot hold, a folder of something else, and a
    ``run.json`` that is damaged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = RunFolder(f"{folder}/mnist", {"rate": 1e-3, "sizes": (20, 10)})
    ...     run.config, len(run.sessions)
    ({'rate': 0.001, 'sizes': [20, 10]}, 1)
    """

    def __init__(
        self, path: str | os.PathLike[str], config: Any, *, allow_changes: bool = False
    ) -> None:
        self.path = Path(path)
        self.config: dict[str, Any] = _config(config)
        self.sessions: list[dict[str, Any]] = []
        session = _session()
        if self._file.exists():
            old, self.sessions = read_record(self.path)
            changes = _changes(old, self.config)
            if changes and not allow_changes:
                lines = "\n".join(f"  {name}: {change}" for name, change in changes.items())
                raise ValueError(
                    f"{self.path} holds a run of another config:\n{lines}\n"
                    "choose another folder, or give allow_changes=True to go on with the new one"
                )
            session |= {"changes": changes} if changes else {}
        elif self.path.exists() and any(self.path.iterdir()):
            raise ValueError(
                f"{self.path} is not the folder of a run: it holds files, but no run.json; "
                "choose an empty folder or a new one"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self.sessions.append(session)
        self._write()

    @property
    def checkpoints(self) -> Path:
        """Where its checkpoints go."""
        return self.path / "checkpoints"

    @property
    def log(self) -> Path:
        """Where its log goes: ``csv_log(run.log)``."""
        return self.path / "log.csv"

    def __call__(self, event: Event) -> None:
        """Note from which step, and with which random key, training goes on."""
        if event.kind == "start":
            key = event.state.key
            data = np.asarray(jax.random.key_data(key)).tolist()
            implementation = str(jax.random.key_impl(key))
            self.sessions[-1] |= {"step": event.step, "key": [implementation, data]}
            self._write()

    @property
    def _file(self) -> Path:
        return self.path / "run.json"

    def _write(self) -> None:
        record = {"format": _FORMAT, "config": self.config, "sessions": self.sessions}
        write_atomically(self._file, json.dumps(record, indent=2).encode())


def read_record(path: str | os.PathLike[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The config and the sessions that a folder's ``run.json`` holds."""
    file = Path(path) / "run.json"
    try:
        record = json.loads(file.read_bytes())
        number, config, sessions = record["format"], record["config"], record["sessions"]
    except FileNotFoundError:
        raise ValueError(f"{path} is not the folder of a run: it has no run.json") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file} is damaged or of something else ({error!r}); restore it, or choose "
            "another folder"
        ) from None
    if number != _FORMAT:
        raise ValueError(
            f"{file} has format {number}, but this jaxnet knows format {_FORMAT}; "
            "it was written by a newer one: upgrade"
        )
    return config, sessions


def _session() -> dict[str, Any]:
    devices = jax.devices()
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": shlex.join(sys.orig_argv),
        "folder": os.getcwd(),
        "git": _git(),
        "versions": versions(),
        "devices": {"kind": devices[0].device_kind, "count": len(devices)},
    }


def _git() -> dict[str, Any] | None:
    """The commit of the working directory, and whether files differ from it."""

    def ask(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _config(config: Any) -> dict[str, Any]:
    plain = _plain(config, "")
    if not isinstance(plain, dict):
        raise ValueError(f"a config is a dict or a dataclass, but this is {describe(config)}")
    return plain


def _plain(value: Any, path: str) -> Any:
    """A value as JSON gives it back."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise ValueError(
                    f"the names in a config are strings, but {path or 'the config'} has the key "
                    f"{describe(name)}; write it as a string"
                )
        return {name: _plain(x, f"{path}/{name}".lstrip("/")) for name, x in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(x, f"{path}/{i}") for i, x in enumerate(value)]
    fix = "its values, x.tolist(), or a file's path" if is_array(value) else "its name or options"
    raise ValueError(
        f"{path or 'the config'} is {describe(value)}, which run.json cannot hold; give {fix}"
    )


def _changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    """What differs, by path, in words."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return {
        "/".join(path): f"was {before.get(path, 'not there')}, is {after.get(path, 'not there')}"
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    }


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path and text of what is no dict, since a list is changed as a whole."""
    if isinstance(value, dict) and value:
        for name, x in value.items():
            yield from _leaves(x, (*path, name))
    else:
        yield path, json.dumps(value)
