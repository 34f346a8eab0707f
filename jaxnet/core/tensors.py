"""Files, whole or not at all: arrays by name in safetensors format, readable by any framework.

A file is written beside its place, brought to the disk, and then moved there in one step, so that
whatever happens leaves either the new file or the previous one. What is read is checked before it
is believed: a damaged or hostile file is an error that names it, never a crash.
"""

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

# What the format has a code for, and what is stored as bytes beside the name of its dtype.
_CODES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2": "float8_e5m2",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
}
_AS_BYTES = (
    "complex128",
    "int1",
    "int2",
    "int4",
    "uint1",
    "uint2",
    "uint4",
    "float4_e2m1fn",
    "float6_e2m3fn",
    "float6_e3m2fn",
    "float8_e3m4",
    "float8_e4m3",
    "float8_e4m3b11fnuz",
)
_DTYPES = "jaxnet.dtypes"


class DamagedFile(ValueError):
    """A file that is cut short, altered, or not of the format that was expected."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary file that takes the place of ``path`` at the end, unless there was an error.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(f"{folder}/notes") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     Path(folder, "notes").read_text()
    'whole'
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        temporary.touch()
        yield temporary
        flush(temporary)
        os.replace(temporary, path)
        flush(path.parent)
    except BaseException as error:
        # The folder may be out of reach as well; the first error is the one that matters.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.add_note(
                f"{path} could not be written; what was there before is intact. Free some space "
                "or make the folder writable, and save again."
            )
        raise


def flush(path: Path) -> None:
    """Return once a file, or the list of a folder's entries, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file, whole or not at all: after any error the previous one is intact."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def save_tensors(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays of any dtype that JAX has to a safetensors file, whole or not at all.

    Dtypes for which the format has no code are stored as bytes, on one more axis, and named in the
    metadata. Raises ValueError for other dtypes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_tensors(f"{folder}/w", {"scale": np.float32(2)}, {"made": "by hand"})
    ...     load_tensors(f"{folder}/w")
    ({'scale': array(2., dtype=float32)}, {'made': 'by hand'})
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    metadata, as_bytes, stored = dict(metadata or {}), {}, {}
    for name, array in arrays.items():
        array = np.asarray(array, order="C")
        dtype = array.dtype.name
        if dtype in _AS_BYTES:
            as_bytes[name] = dtype
            array = np.frombuffer(array.tobytes(), np.uint8)
            array = array.reshape(*np.shape(arrays[name]), jnp.dtype(dtype).itemsize)
        elif dtype not in _CODES.values():
            raise ValueError(f"{name} is of dtype {dtype}, which JAX does not have")
        stored[name] = array
    if as_bytes:
        metadata[_DTYPES] = json.dumps(as_bytes)
    with replacing(path) as temporary:
        usual = temporary.stat().st_mode
        try:
            # With neither tensors nor metadata, {} makes the library write what it cannot read.
            save_file(stored, temporary, metadata or None)
        except SafetensorError as error:
            raise OSError(str(error)) from error
        # The library makes a file that its owner alone may read.
        temporary.chmod(usual)


def load_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the metadata of a safetensors file; raises DamagedFile if it is not whole."""
    return decode(read(path), os.fspath(path))


def read(path: str | os.PathLike[str]) -> bytes:
    """A file's bytes; raises DamagedFile for what has no end, such as a pipe or a device."""
    path = Path(path)
    if path.exists() and not path.is_file():
        raise DamagedFile(f"{path} is not a file")
    return path.read_bytes()


def decode(data: bytes, source: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """What ``load_tensors`` returns, from the bytes of a file; ``source`` names it in errors."""
    from safetensors import SafetensorError, deserialize

    try:
        tensors = deserialize(data)
        # The library takes the last of two tensors of one name, and keeps the metadata to itself.
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size], object_pairs_hook=_without_repeats)
        metadata: dict[str, str] = header.get("__metadata__", {})
        as_bytes = json.loads(metadata.pop(_DTYPES, "{}"), object_pairs_hook=_without_repeats)
        if not isinstance(as_bytes, dict) or as_bytes.keys() - dict(tensors):
            raise ValueError(f"its metadata gives {_DTYPES} for other tensors than it holds")
        arrays = {name: _array(name, spec, as_bytes.get(name)) for name, spec in tensors}
    except (SafetensorError, ValueError, RecursionError) as error:
        raise DamagedFile(
            f"{source} is not a whole safetensors file ({error}); "
            "was it cut short, or written in another format?"
        ) from error
    return arrays, metadata


def _array(name: str, spec: dict[str, Any], as_bytes: Any) -> np.ndarray:
    code, shape = spec["dtype"], spec["shape"]
    if code not in _CODES:
        raise ValueError(f"{name} is of dtype {code}, which is not supported")
    dtype = jnp.dtype(_CODES[code])
    if as_bytes is not None:
        # The name comes from the file: NumPy would take "object", and memory for pointers.
        if as_bytes not in _AS_BYTES:
            raise ValueError(f"{name} is said to be of dtype {as_bytes}")
        dtype = jnp.dtype(as_bytes)
        if code != "U8" or shape[-1:] != [dtype.itemsize]:
            raise ValueError(f"{name} is {code}{shape}, which does not hold {as_bytes}")
        shape = shape[:-1]
    return np.frombuffer(spec["data"], dtype).reshape(shape)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError(f"it names something twice: {sorted(name for name, _ in pairs)}")
    return entries
