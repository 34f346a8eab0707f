"""Checkpoints of runs on several hosts, where each process writes its shards, by orbax.

They are saved and restored by the calls of ``Checkpoints``; the files are orbax's.
"""

import math
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core import tree
from jaxnet.core.dtypes import is_key
from jaxnet.core.errors import listing
from jaxnet.train.checkpoint import Restored, check_kept, check_saved
from jaxnet.train.clock import with_clocks
from jaxnet.train.restore import compared, placed
from jaxnet.train.snapshot import leaves_of, table


class OrbaxCheckpoints:
    """The checkpoints of one run in one folder, or under one URL such as ``gs://bucket/run``.

    Every process of the run makes one and calls it alike. It takes the options of ``Checkpoints``;
    unlike that, it goes only forward in steps, and a checkpoint that is damaged is an error rather
    than passed over, since all processes have to restore the same one.
    Raises ImportError where orbax is not installed.
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
        try:
            import orbax.checkpoint as ocp  # pyright: ignore[reportMissingImports]
            from orbax.checkpoint.checkpoint_managers import (  # pyright: ignore[reportMissingImports]
                preservation_policy as policy,
            )
        except ImportError as error:
            raise ImportError("OrbaxCheckpoints needs orbax: pip install 'jaxnet[ckpt]'") from error
        check_kept(keep, mode, keep_best, "OrbaxCheckpoints")
        self.best_metric, self.mode, self._args = best, mode, ocp.args
        policies: list[Any] = [policy.PreserveAll() if keep is None else policy.LatestN(keep)]
        if best is not None and keep_best:
            policies.append(policy.BestN(get_metric_fn=self._merit, n=keep_best))
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policy.AnyPreservationPolicy(policies),
            enable_async_checkpointing=asynchronous,
        )
        name = os.fspath(folder)
        self.folder = name if "://" in name else os.path.abspath(name)
        self._manager = ocp.CheckpointManager(self.folder, options=options)

    def save(
        self,
        step: int,
        tree: Any,
        *,
        info: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Write a tree of arrays, each process its shards; when this returns, it may be donated.

        Raises ValueError as that of ``Checkpoints`` does, and for a step not after the last.
        """
        info, metrics = dict(info or {}), dict(metrics or {})
        check_saved(step, info, metrics, self.best_metric)
        last = self._manager.latest_step()
        if last is not None and step <= last:
            raise ValueError(
                f"step {step} is not after the last checkpoint, of step {last}; use another folder "
                "to go on from an earlier step"
            )
        arrays, keys = leaves_of(tree)
        manifest = {"info": info, "metrics": metrics, "tensors": table(arrays, keys)}
        self._manager.save(
            step,
            args=self._args.Composite(
                tree=self._args.StandardSave(_nested(arrays)),
                manifest=self._args.JsonSave(manifest),
            ),
            metrics=metrics,
        )

    def restore(self, like: Any, *, step: int | Literal["best"] | None = None) -> Restored:
        """The newest checkpoint, the one of a step, or the ``"best"``, in the layout of ``like``.

        ``like`` is a tree of arrays or of ``ShapeDtypeStruct``s with shardings; where both are
        floating point its dtypes win. Each process reads what its devices hold.
        Raises ValueError if there is no such checkpoint, and for all leaves that do not fit.
        """
        number = self.best() if step == "best" else step
        if number is None and step is None:
            number = max(self.steps(), default=None)
        if number not in self.steps():
            what = "no checkpoint" if step is None else f"no checkpoint for step={step!r}"
            raise ValueError(f"{self.folder} has {what}; there are: {listing(self.steps())}")
        manifest = self._read(number, "manifest", self._args.JsonRestore())
        entries, needed = manifest["tensors"], tree.flatten(like)
        stored = {path: _struct(**entry) for path, entry in entries.items()}
        report = compared(with_clocks(stored, needed), needed)
        if report.misfits:
            raise ValueError(
                f"step {number} of {self.folder} does not hold what is needed:\n{report.misfits}"
            )
        target = {path: _stored(needed.get(path, spec)) for path, spec in stored.items()}
        found = self._read(number, "tree", self._args.StandardRestore(_nested(target)))
        leaves = {p: np.zeros(x.shape, x.dtype) for p, x in target.items()} | tree.flatten(found)
        leaves = with_clocks(leaves, needed)
        values = tree.map_paths(
            lambda path, spec: _placed(leaves[path], spec, entries.get(path, {}).get("key")), like
        )
        return Restored(number, values, manifest["info"], manifest["metrics"], report)

    def steps(self) -> list[int]:
        """The steps of which there is a checkpoint, in order."""
        self.wait()
        return sorted(self._manager.all_steps())

    def best(self) -> int | None:
        """The step of the checkpoint with the best metric so far; None if there is none."""
        if self.best_metric is None:
            raise ValueError(
                "which checkpoint is best is said by a metric: OrbaxCheckpoints(…, best='val_loss')"
            )
        read = self._args.JsonRestore()
        metrics = {step: self._read(step, "manifest", read)["metrics"] for step in self.steps()}
        merits = {step: self._merit(values) for step, values in metrics.items()}
        good = [step for step in merits if merits[step] > -math.inf]
        return max(good, key=lambda step: (merits[step], -step), default=None)

    def wait(self) -> None:
        """Return once what was saved is stored; raises what went wrong in storing it."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait, and end orbax's threads; leaving a ``with`` block does the same."""
        self._manager.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _merit(self, metrics: Mapping[str, float]) -> float:
        """More is better, whatever the mode; NaN and what is missing are worst."""
        value = metrics.get(self.best_metric or "", math.nan)
        merit = value if self.mode == "max" else -value
        return -math.inf if math.isnan(merit) else merit

    def _read(self, step: int, item: str, args: Any) -> Any:
        return self._manager.restore(step, args=self._args.Composite(**{item: args}))[item]


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves as orbax can hold them: it has none that are empty."""
    return tree.unflatten({path: leaf for path, leaf in flat.items() if math.prod(leaf.shape)})


def _struct(dtype: str, shape: list[int], key: str | None = None) -> jax.ShapeDtypeStruct:
    """What an entry of the manifest says a leaf is."""
    struct = jax.ShapeDtypeStruct(tuple(shape), jnp.dtype(dtype))
    if key is None:
        return struct
    return jax.eval_shape(lambda data: jax.random.wrap_key_data(data, impl=key), struct)


def _stored(spec: Any) -> jax.ShapeDtypeStruct:
    """A leaf of the tree as it is stored: a random key as its data, which is spread as it is."""
    sharding = getattr(spec, "sharding", None)
    if is_key(spec):
        spec = jax.eval_shape(jax.random.key_data, spec)
    return jax.ShapeDtypeStruct(spec.shape, spec.dtype, sharding=sharding)


def _placed(leaf: Any, spec: Any, key: str | None) -> Any:
    if isinstance(spec, jax.Array) and not spec.committed:
        leaf = np.asarray(leaf)  # orbax binds each array to its devices
    if key is not None and is_key(spec):
        leaf = jax.random.wrap_key_data(jnp.asarray(leaf), impl=key)
    return placed(leaf, spec)
