"""The folder of a run, as ``fit`` uses it: what the run was made of, and where it can go on."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import jax.numpy as jnp

from jaxnet.train.checkpoint import Checkpoints
from jaxnet.train.run import Run
from jaxnet.train.run_folder import RunFolder, read_record


class Keeper:
    """Saves a run every ``seconds``, and takes up the one that is there."""

    def __init__(
        self, folder: str | os.PathLike[str], made_of: Mapping[str, Any], seconds: float
    ) -> None:
        self.folder = RunFolder(folder, made_of)
        self.checkpoints = Checkpoints(self.folder.checkpoints)
        self.seconds, self._next = seconds, time.monotonic() + seconds

    def resume(self, run: Run) -> str:
        """Go on from the last checkpoint, if there is one; what happened, in words.

        Raises ValueError where there are some, but none is intact.
        """
        if not self.checkpoints.steps():
            return f"a new run in {self.folder.path}"
        restored = self.checkpoints.restore(run.tree)
        run.take(restored.tree, restored.info)
        return f"{self.folder.path} goes on from step {run.step}"

    def save(self, run: Run, *, at_once: bool) -> None:
        """Write a checkpoint if the time has come."""
        if time.monotonic() < self._next and not at_once:
            return
        self.checkpoints.save(run.step, run.tree, info=run.info)
        self._next = time.monotonic() + self.seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.checkpoints.close()


def recorded_config(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The ``config`` that ``fit`` was given for the run in a folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = RunFolder(folder, {"config": {"lr": 0.1}})
    ...     recorded_config(folder)
    {'lr': 0.1}
    """
    return read_record(folder)[0].get("config", {})


def trained(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The parameters of the run in a folder, from its last checkpoint.

    The best ones if ``fit`` kept those, else the averaged ones if there are such, else the last.
    Raises ValueError if no checkpoint is intact.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Checkpoints(f"{folder}/checkpoints") as checkpoints:
    ...         checkpoints.save(7, {"state": {"params": {"w": jnp.ones(2)}}})
    ...     trained(folder)
    {'w': Array([1., 1.], dtype=float32)}
    """
    tree = Checkpoints(Path(folder) / "checkpoints").restore().tree
    params, extra = tree["state"]["params"], tree["state"].get("extra", {})
    if "best" in tree:
        params, extra = tree["best"]["params"], tree["best"].get("extra", {})
    return jax.tree.map(jnp.asarray, extra.get("ema", params))
