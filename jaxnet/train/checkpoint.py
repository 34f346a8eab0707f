"""Checkpoints of a run: the last few and the best, written beside the training.

``save`` copies the tree to host memory and returns; a thread writes it. ``restore`` returns the
newest that is intact. A reader removes nothing; a writer removes what it can write again, and what
killed writers left behind.
"""

import atexit
import dataclasses
import json
import os
import re
import shutil
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from jaxnet.core import tree
from jaxnet.core.checks import check_choice, check_size
from jaxnet.core.errors import describe, listing, near
from jaxnet.core.tensors import DamagedFile
from jaxnet.train.restore import Rename, Report, fill, renamed
from jaxnet.train.snapshot import Snapshot, check_info, read_manifest, read_tensors, write


@dataclasses.dataclass(frozen=True)
class Restored:
    """A checkpoint as it was read: its step, its tree, and what was saved beside them."""

    step: int
    tree: Any
    info: dict[str, Any]
    metrics: dict[str, float]
    report: Report


class Checkpoints:
    """The checkpoints of one run in one folder, each in a folder named by its step.

    The last ``keep`` that were written stay (all, if None), and so do the ``keep_best`` best by
    ``metrics[best]``, where ``mode`` says whether less ("min") or more ("max") is better.
    ``asynchronous=False`` has ``save`` return only when all is on the disk.

    >>> import tempfile, jax.numpy as jnp
    >>> with tempfile.TemporaryDirectory() as folder, Checkpoints(folder) as checkpoints:
    ...     checkpoints.save(7, {"w": jnp.ones(2)}, info={"epoch": 1})
    ...     restored = checkpoints.restore({"w": jnp.zeros(2)})
    >>> restored.step, restored.tree, restored.info
    (7, {'w': Array([1., 1.], dtype=float32)}, {'epoch': 1})
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        keep: int | None = 3,
        best: str | None = None,
        mode: Literal["min", "max"] = "min",
        keep_best: int = 1,
        asynchronous: bool = True,
    ) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"checkpoints need a folder, but {self.folder} is a file")
        check_kept(keep, mode, keep_best, "Checkpoints")
        self.keep, self.best_metric, self.mode, self.keep_best = keep, best, mode, keep_best
        self.asynchronous = asynchronous
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def save(
        self,
        step: int,
        tree: Any,
        *,
        info: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Write a tree of arrays under a step; one that is there already is replaced.

        When this returns, the arrays have been copied and may be donated. Writing goes on in a
        thread; its errors are raised by the next ``save``, ``wait`` or ``close``. ``info`` is a
        dict of what JSON has, floats exactly, NaN and infinities too; tuples return as lists.

        Raises ValueError for leaves that are not arrays, for what JSON cannot hold, and if
        ``metrics`` lacks the one that ``best`` names.
        """
        info, metrics = dict(info or {}), dict(metrics or {})
        check_saved(step, info, metrics, self.best_metric)
        self.wait()
        # As text, since the caller may go on changing what it gave.
        fields = json.dumps({"step": step, "info": info, "metrics": metrics})
        snapshot = Snapshot.of(tree)
        if not self.asynchronous:
            return self._write(step, snapshot, fields)
        atexit.register(self.wait)
        self._thread = threading.Thread(target=self._try_write, args=(step, snapshot, fields))
        self._thread.start()

    def restore(
        self,
        like: Any = None,
        *,
        step: int | Literal["best"] | None = None,
        only: str | Sequence[str] = "**",
        rename: Rename | None = None,
    ) -> Restored:
        """The newest intact checkpoint, the one of a step, or the ``"best"``.

        ``like``, a tree of arrays or ``ShapeDtypeStruct``s, gives structure, device layout and
        floating-point dtypes, ``only`` and ``rename`` are those of ``fill``. Without ``like`` the
        tree is nested dicts of NumPy arrays, each bit as it was saved.
        A damaged checkpoint is passed over with a warning, and named in ``report.skipped``, unless
        it is the one that was asked for. The newest is the one that was written last.

        Raises ValueError if no checkpoint is intact, and for all leaves that do not fit ``like``.
        """
        self.wait()
        entries, skipped = self._entries()
        if step is None:
            order = _by_age(entries)[::-1]
        elif step == "best":
            order = self._ranked(entries)
        else:
            check_size(step, "step", least=0)
            order = [step] if step in entries else []
            skipped = {number: cause for number, cause in skipped.items() if number == step}
        for number in order:
            try:
                snapshot = read_tensors(self._folders()[number], entries[number])
            except DamagedFile as error:
                skipped[number] = str(error)
                continue
            return self._restored(entries[number], snapshot, like, only, rename, skipped)
        causes = "".join(f"\n  {cause}" for cause in skipped.values())
        if causes:
            raise ValueError(f"{self.folder} has no checkpoint that is intact:{causes}")
        what = "no checkpoint" if step is None else f"no checkpoint for step={step!r}"
        raise ValueError(f"{self.folder} has {what}; there are: {listing(self.steps())}")

    def steps(self) -> list[int]:
        """The steps of which there is a checkpoint, in order, intact or not."""
        return sorted(self._folders())

    def best(self) -> int | None:
        """The step of the checkpoint with the best metric so far; None if there is none."""
        self.wait()
        return next(iter(self._ranked(self._entries()[0])), None)

    def wait(self) -> None:
        """Return once what was saved is on the disk; raises what went wrong in writing it."""
        if self._thread is None:
            return
        self._thread.join()
        self._thread = None
        atexit.unregister(self.wait)
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def close(self) -> None:
        """The same as ``wait``, which leaving a ``with`` block does as well."""
        self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wait()

    def _path(self, step: int) -> Path:
        return self.folder / f"{step:08d}"

    def _folders(self) -> dict[int, Path]:
        """The folder of each step; where a writer was killed while replacing it, the old one."""
        names = set(os.listdir(self.folder)) if self.folder.exists() else set()
        found = {}
        for name in names:
            match = re.fullmatch(r"(\d{8,})|\.(\d{8,})\.old", name, re.ASCII)
            digits = match and (match[1] or match[2])
            if (
                digits
                and digits == f"{int(digits):08d}"
                and (name == digits or digits not in names)
            ):
                found[int(digits)] = self.folder / name
        return found

    def _entries(self) -> tuple[dict[int, dict[str, Any]], dict[int, str]]:
        """The manifest of each checkpoint, and why some have none."""
        entries, damaged = {}, {}
        for step, path in self._folders().items():
            try:
                entries[step] = read_manifest(path, step)
            except DamagedFile as error:
                damaged[step] = str(error)
        return entries, damaged

    def _ranked(self, entries: Mapping[int, Mapping[str, Any]]) -> list[int]:
        """Steps from best to worst; of equals the first is best, and NaN is never good."""
        if self.best_metric is None:
            raise ValueError(
                "which checkpoint is best is said by a metric: Checkpoints(folder, best='val_loss')"
            )
        values = {step: entry["metrics"].get(self.best_metric) for step, entry in entries.items()}
        sign = 1 if self.mode == "min" else -1
        return sorted(
            (step for step, value in values.items() if value is not None and value == value),
            key=lambda step: (sign * values[step], entries[step]["serial"]),
        )

    def _try_write(self, step: int, snapshot: Snapshot, fields: str) -> None:
        try:
            self._write(step, snapshot, fields)
        except BaseException as error:
            self._error = error

    def _write(self, step: int, snapshot: Snapshot, fields: str) -> None:
        self._sweep()
        entries, _ = self._entries()
        serial = 1 + max((entry["serial"] for entry in entries.values()), default=0)
        entries[step] = json.loads(fields) | {"serial": serial}
        write(self._path(step), snapshot, entries[step])
        if self.keep is None:
            return
        good = _by_age(entries)[-self.keep :]
        if self.best_metric is not None:
            good += self._ranked(entries)[: self.keep_best]
        for number in entries.keys() - set(good):
            # First out of sight in one step, so that no half of it is ever found.
            trash = self.folder / f".{number:08d}.trash"
            os.replace(self._path(number), trash)
            shutil.rmtree(trash)

    def _sweep(self) -> None:
        """Remove what killed writers left, by names that only they make."""
        for name in os.listdir(self.folder) if self.folder.exists() else []:
            match = re.fullmatch(r"\.(\d{8,})\.(part|old|trash)", name, re.ASCII)
            if match and match[2] == "old" and not os.path.lexists(self.folder / match[1]):
                os.replace(self.folder / name, self.folder / match[1])
            elif match:
                shutil.rmtree(self.folder / name)

    def _restored(
        self,
        manifest: Mapping[str, Any],
        snapshot: Snapshot,
        like: Any,
        only: str | Sequence[str],
        rename: Rename | None,
        skipped: Mapping[int, str],
    ) -> Restored:
        path, leaves = self._path(manifest["step"]), snapshot.leaves
        try:
            if like is None:
                flat = renamed(leaves, rename)
                chosen = tree.select(flat, *([only] if isinstance(only, str) else only))
                flat = {path: leaf for path, leaf in flat.items() if chosen[path]}
                values, report = tree.unflatten(flat), Report(loaded=tuple(flat))
            else:
                values, report = fill(like, leaves, only=only, rename=rename)
        except ValueError as error:
            raise ValueError(f"{path} cannot be restored: {error}") from error
        for cause in skipped.values():
            warnings.warn(
                f"{cause}; restoring {path} instead. Delete the damaged checkpoint if nothing in "
                "it is needed.",
                stacklevel=3,
            )
        report = dataclasses.replace(
            report, skipped={str(self._path(step)): cause for step, cause in skipped.items()}
        )
        return Restored(manifest["step"], values, manifest["info"], manifest["metrics"], report)


def check_kept(keep: Any, mode: Any, keep_best: Any, what: str) -> None:
    """Raise unless these say which checkpoints are kept."""
    if keep is not None:
        check_size(keep, "keep")
    check_choice(mode, ("min", "max"), "mode", what)
    check_size(keep_best, "keep_best", least=0)


def check_saved(
    step: Any, info: dict[str, Any], metrics: dict[str, float], best_metric: str | None
) -> None:
    """Raise unless these can be saved beside a tree."""
    check_size(step, "step", least=0)
    check_info(info)
    for name, value in metrics.items():
        if not isinstance(value, int | float):
            raise ValueError(f"metrics[{name!r}] must be a number, but is {describe(value)}")
    if best_metric is not None and best_metric not in metrics:
        raise ValueError(
            f"the best checkpoint is the one with the best {best_metric!r}, which is not in "
            f"metrics; {near(best_metric, metrics)}"
        )


def _by_age(entries: Mapping[int, Mapping[str, Any]]) -> list[int]:
    """Steps in the order in which they were written."""
    return sorted(entries, key=lambda step: (entries[step]["serial"], step))
