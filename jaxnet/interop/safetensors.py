"""Weights in safetensors files: tensors named by path, readable by any framework."""

import os
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnet.core import tree
from jaxnet.core.errors import describe, is_array, misfits
from jaxnet.core.tensors import load_tensors, save_tensors


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
    leaves = tree.flatten(params)
    for name, leaf in leaves.items():
        if not is_array(leaf) or not jnp.issubdtype(leaf.dtype, jnp.number):
            raise ValueError(f"{name} is {describe(leaf)}; a weights file holds arrays of numbers")
    save_tensors(path, {name: np.asarray(leaf) for name, leaf in leaves.items()})


def load(path: str | os.PathLike[str], specs: dict[str, Any] | None = None) -> dict[str, Any]:
    """Read parameters from a file, as nested dicts of arrays.

    With ``specs``, from ``jaxnet.specs(layer, x)``, they must be exactly what that layer needs.
    Raises ValueError for a file that is not whole, and one for all leaves that do not fit.
    """
    arrays, _ = load_tensors(path)
    if specs is not None:
        lines = misfits(arrays, tree.flatten(specs), complete=True)
        if lines:
            raise ValueError(f"{os.fspath(path)} does not hold what is needed:\n{lines}")
    return tree.unflatten({name: jnp.asarray(array) for name, array in arrays.items()})
