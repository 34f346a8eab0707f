"""One checkpoint: a folder that is whole or not there, and that can tell whether it is intact.

It holds ``tensors.safetensors``, the leaves by path, and ``manifest.json``: what the leaves are,
their digest, and all that is not an array. Of later formats these things stay true: ``format`` is
a number in the manifest, whose ``sha256`` comes last and covers the rest, and a reader ignores
what it does not know.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.core import tree
from jaxnet.core.dtypes import is_key
from jaxnet.core.errors import describe
from jaxnet.core.tensors import DamagedFile, decode, flush, read, save_tensors, write_atomically
from jaxnet.train.versions import versions

FORMAT = 1
TENSORS, MANIFEST = "tensors.safetensors", "manifest.json"
# Reading stops here, and so does writing; a manifest has some 100 bytes a leaf.
_LARGEST_MANIFEST = 2**28


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A tree in host memory: its arrays by path, and which of them are data of random keys."""

    arrays: Mapping[str, np.ndarray]
    keys: Mapping[str, str]

    @classmethod
    def of(cls, values: Any) -> "Snapshot":
        """Copies of the leaves, which whatever happens to the originals does not reach.

        Raises ValueError for leaves that are not arrays of which this process has the whole.
        """
        data, keys = leaves_of(values)
        for path, leaf in data.items():
            if isinstance(leaf, jax.Array) and not (
                leaf.is_fully_addressable or leaf.is_fully_replicated
            ):
                raise ValueError(
                    f"{path} is spread over several processes; use OrbaxCheckpoints, which has "
                    "each of them write its part"
                )
        return cls(dict(zip(data, copies(data.values()), strict=True)), keys)

    @property
    def table(self) -> dict[str, dict[str, Any]]:
        """For each path a leaf's dtype and shape, as JSON has them."""
        return table(self.arrays, self.keys)

    @property
    def digest(self) -> str:
        """SHA-256 over the leaves in the order of their paths: what each is, then its bytes."""
        entries, total = self.table, hashlib.sha256()
        for path in sorted(entries):
            total.update(json.dumps([path, entries[path]], sort_keys=True).encode())
            total.update(self.arrays[path].reshape(-1).view(np.uint8))
        return total.hexdigest()

    @property
    def leaves(self) -> dict[str, Any]:
        """The leaves by path, random keys among them."""
        return {
            path: jax.random.wrap_key_data(jnp.asarray(array), impl=self.keys[path])
            if path in self.keys
            else array
            for path, array in self.arrays.items()
        }


def copies(leaves: Iterable[Any]) -> list[Any]:
    """Copies of arrays in host memory, and of random keys where they are."""
    leaves = list(leaves)
    away = [
        isinstance(leaf, jax.Array) and not is_key(leaf) and _is_away(leaf.sharding)
        for leaf in leaves
    ]
    for leaf in itertools.compress(leaves, away):
        leaf.copy_to_host_async()

    def copy(leaf: Any, away: bool) -> Any:
        if is_key(leaf):
            return jnp.copy(leaf)
        # A view of a buffer would change with it, or keep it from donation.
        return np.asarray(leaf, order="C") if away else np.array(leaf, order="C")

    return list(map(copy, leaves, away))


def leaves_of(values: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The leaves by path, keys as their data, and the names of those keys' generators.

    Raises ValueError for leaves that are not arrays, or not any more.
    """
    flat = tree.flatten(values)
    if len(flat) < len(jax.tree.leaves(values)):
        raise ValueError(
            "two leaves of the tree have the same path; is there a '/' in a name, or both 0 and "
            "'0'?"
        )
    for path, leaf in flat.items():
        if not isinstance(leaf, jax.Array | np.ndarray | np.generic):
            raise ValueError(
                f"{path} is {describe(leaf)}, but a checkpoint's tree has arrays only; put "
                "anything else into info"
            )
        if isinstance(leaf, jax.Array) and leaf.is_deleted():
            raise ValueError(
                f"{path} was consumed by a compiled step; save the state that the step returned"
            )
    keys = {path: str(jax.random.key_impl(x)) for path, x in flat.items() if is_key(x)}
    return {p: jax.random.key_data(x) if p in keys else x for p, x in flat.items()}, keys


def table(arrays: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """For each path a leaf's dtype and shape, and the generator of a random key, as JSON has it."""
    return {
        path: {"dtype": array.dtype.name, "shape": list(array.shape)}
        | ({"key": keys[path]} if path in keys else {})
        for path, array in arrays.items()
    }


def digest(values: Any) -> str:
    """A text that two trees share if and only if paths, dtypes, shapes and every bit are equal.

    It is what a checkpoint records, so that runs can be compared without their checkpoints.

    >>> digest({"bias": np.zeros(2)})[:16]
    '443794857a1f8ad9'
    >>> digest({"bias": np.zeros(2)}) == digest({"bias": -np.zeros(2)})
    False
    """
    return Snapshot.of(values).digest


def write(folder: Path, snapshot: Snapshot, fields: Mapping[str, Any]) -> None:
    """Write a checkpoint's folder, bring it to the disk, and have it appear in one step."""
    part = folder.with_name(f".{folder.name}.part")
    old = folder.with_name(f".{folder.name}.old")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        save_tensors(part / TENSORS, snapshot.arrays)
        with (part / TENSORS).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        manifest = {
            "format": FORMAT,
            **fields,
            "versions": versions(),
            "tensors": snapshot.table,
            "digest": snapshot.digest,
            "tensors_sha256": sha256,
        }
        text = json.dumps(manifest | {"sha256": _sha256(manifest)}, indent=1).encode()
        if len(text) > _LARGEST_MANIFEST:
            raise ValueError(
                f"the manifest would have {len(text)} bytes; keep large things out of info, and "
                "save arrays as leaves of the tree"
            )
        write_atomically(part / MANIFEST, text)
        if os.path.lexists(folder):
            # Two steps, between which a reader finds the old one under its other name.
            shutil.rmtree(old, ignore_errors=True)
            os.replace(folder, old)
        os.replace(part, folder)
        flush(folder.parent)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if not os.path.lexists(folder) and os.path.lexists(old):
            os.replace(old, folder)
        if isinstance(error, OSError):
            error.add_note(
                f"{folder} may not be on the disk; the checkpoints beside it are intact."
            )
        raise
    shutil.rmtree(old, ignore_errors=True)


def read_manifest(folder: Path, step: int) -> dict[str, Any]:
    """What a checkpoint says of itself; raises DamagedFile unless that is as it was written.

    Raises ValueError for one that was written in a newer format.
    """
    path = folder / MANIFEST
    try:
        if path.is_file() and path.stat().st_size > _LARGEST_MANIFEST:
            raise ValueError("it is too large")
        manifest = json.loads(read(path))
        stated = manifest.pop("sha256", None) if isinstance(manifest, dict) else None
        if stated != _sha256(manifest):
            raise ValueError("its checksum is not that of its content")
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedFile(f"{path} is damaged: {error}") from error
    number = manifest.get("format")
    if isinstance(number, int) and number > FORMAT:
        made_by = manifest.get("versions")
        raise ValueError(
            f"{folder} has format {number}, written by {made_by}, but this version of jaxnet reads "
            f"up to {FORMAT}; use a newer jaxnet"
        )
    kinds = {"serial": int, "info": dict, "metrics": dict, "tensors": dict}
    if number != FORMAT or any(not isinstance(manifest.get(n), kind) for n, kind in kinds.items()):
        raise DamagedFile(f"{path} is damaged: it lacks what a checkpoint has")
    if not all(isinstance(value, int | float) for value in manifest["metrics"].values()):
        raise DamagedFile(f"{path} is damaged: it has metrics that are not numbers")
    if manifest.get("step") != step:
        raise DamagedFile(f"{path} is damaged: it says that it is of step {manifest.get('step')}")
    return manifest


def read_tensors(folder: Path, manifest: Mapping[str, Any]) -> Snapshot:
    """The leaves of a checkpoint; raises DamagedFile unless they are as they were written."""
    path = folder / TENSORS
    try:
        data = read(path)
        if hashlib.sha256(data).hexdigest() != manifest.get("tensors_sha256"):
            raise ValueError("its checksum is not the one in the manifest")
        arrays, _ = decode(data, str(path))
        table = manifest["tensors"]
        keys = {p: x["key"] for p, x in table.items() if isinstance(x, dict) and "key" in x}
        # In the order of the manifest, which is that of the tree.
        ordered = {name: arrays[name] for name in table if name in arrays}
        snapshot = Snapshot(ordered, keys)
        if len(ordered) < len(arrays) or snapshot.table != table:
            raise ValueError("the manifest lists other tensors than it holds")
        if snapshot.digest != manifest.get("digest"):
            raise ValueError("its arrays have another digest than the manifest says")
        _ = snapshot.leaves
    except (OSError, ValueError, TypeError) as error:
        raise DamagedFile(f"{path} is damaged: {error}") from error
    return snapshot


def check_info(value: Any, name: str = "info") -> None:
    """Raise unless JSON can hold a value and give it back: tuples alone return as lists."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError(f"the keys of {name} must be strings, but one is {describe(key)}")
            check_info(inner, f"{name}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            check_info(inner, f"{name}[{index}]")
    elif not isinstance(value, str | int | float | None):
        raise ValueError(
            f"{name} is {describe(value)}, but info holds what JSON has: dicts, lists, text, "
            "numbers, None; convert it, as with float(x), or save arrays as leaves of the tree"
        )


@functools.lru_cache(maxsize=256)
def _is_away(sharding: jax.sharding.Sharding) -> bool:
    """Whether a leaf is in the memory of an accelerator, so that NumPy can only have a copy."""
    on_device = sharding.memory_kind == "device"
    return on_device and all(device.platform != "cpu" for device in sharding.device_set)


def _sha256(manifest: Any) -> str:
    return hashlib.sha256(json.dumps(manifest).encode()).hexdigest()
