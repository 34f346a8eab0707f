"""Weights in safetensors files: tensors named by path, readable by any framework."""

import os
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnet.core import tree
from jaxnet.core.errors import describe, is_array, misfits


def save(path: str | os.PathLike[str], params: dict[str, Any]) -> None:
    """Write parameters to a file, whole or not at all.

    The file is written beside its place and then moved there, so an interruption leaves the
    previous file as it was. Raises ValueError for leaves that are not arrays of numbers.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/w.safetensors", {"head": {"bias": jnp.ones(2)}})
    ...     load(f"{folder}/w.safetensors")
    {'head': {'bias': Array([1., 1.], dtype=float32)}}
    """
    from safetensors.numpy import save as encode

    arrays = {}
    for name, leaf in tree.flatten(params).items():
        if not is_array(leaf) or not jnp.issubdtype(leaf.dtype, jnp.number):
            raise ValueError(f"{name} is {describe(leaf)}; a weights file holds arrays of numbers")
        arrays[name] = np.ascontiguousarray(leaf)
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("xb") as file:
            file.write(encode(arrays))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load(path: str | os.PathLike[str], specs: dict[str, Any] | None = None) -> dict[str, Any]:
    """Read parameters from a file, as nested dicts of arrays.

    With ``specs``, from ``jaxnet.specs(layer, x)``, they must be exactly what that layer needs.
    Raises ValueError for a file that is not whole, and one for all leaves that do not fit.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{os.fspath(path)} is not a whole safetensors file ({error}); "
            "was it cut short, or written in another format?"
        ) from error
    if specs is not None:
        lines = misfits(arrays, tree.flatten(specs), complete=True)
        if lines:
            raise ValueError(f"{os.fspath(path)} does not hold what is needed:\n{lines}")
    return tree.unflatten({name: jnp.asarray(array) for name, array in arrays.items()})
