"""What ``fit`` and ``evaluate`` are given, as batches; and whether that stays on the device."""

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet.data import Batches, subset
from jaxnet.data.rows import count
from jaxnet.train.state import TrainState

_SMALL = 2**24  # bytes that fit anywhere, for which asking would take longer than a short training


def training_batches(
    data: Any, state: TrainState, batch_size: int | None, shuffle: bool, held_out: float
) -> tuple[Any, Any]:
    """Batches of ``data`` in an order of the state's own, and the share of it that is held out."""
    if comes_in_batches(data):
        if batch_size is not None or held_out or not shuffle:
            raise ValueError(
                f"data is a {type(data).__name__}, in batches already; give batch_size and shuffle "
                "where that is made, and validation_data in place of validation_split"
            )
        return data, None
    size = count(data)
    batch_size = 32 if batch_size is None else batch_size
    rng = np.random.default_rng(np.asarray(state.clock)[1:].tolist())
    seed = int(rng.integers(2**63))
    if not held_out:
        return Batches(data, batch_size, seed=seed, shuffle=shuffle), None
    kept, held = _divide(rng, size, held_out)
    sampler = subset(kept, shuffle=shuffle)
    return (
        Batches(data, batch_size, seed=seed, sampler=sampler),
        jax.tree.map(lambda x: x[held], data),
    )


def validation_batches(data: Any, batch_size: int) -> Any:
    """Batches to validate on; arrays that stay on the device are put there once, not every time."""
    if comes_in_batches(data):
        return data
    batches = Batches(data, batch_size, shuffle=False)
    if not stays(batches)[0]:
        return batches
    return Batches(jax.tree.map(jnp.asarray, data), batch_size, shuffle=False)


def comes_in_batches(data: Any) -> bool:
    """Whether these are batches already: ``Batches``, ``Buckets``, ``Stream`` or alike."""
    return hasattr(data, "epoch")


def gathered(data: Any, indices: Any) -> Any:
    """The examples at ``indices``, which are known to exist."""
    return jax.tree.map(lambda x: x.at[indices].get(mode="promise_in_bounds"), data)


def size_of(batch: Any) -> int:
    """How many examples a batch holds."""
    return jax.tree.leaves(batch)[0].shape[0]


def stays(batches: Any, stream: bool | None = None) -> tuple[bool, str]:
    """Whether the data should be kept on the device, and why, in words.

    Unless ``stream`` decides, it is if it takes at most half of the memory that is free there.
    """
    if getattr(batches, "arrays", None) is None:
        if stream is False:
            raise ValueError(
                f"stream=False keeps the data on the device, but a {type(batches).__name__} reads "
                "it batch by batch; give arrays, or leave stream out"
            )
        return False, "data: streamed, batch by batch"
    nbytes, device = batches.nbytes, jax.local_devices()[0]
    if stream is not None:
        return not stream, f"data: {in_words(nbytes)}, {'streamed' if stream else 'on the device'}"
    free = _free(device) if nbytes > _SMALL else None
    if free is None:
        return True, f"data: {in_words(nbytes)}, kept on {device}"
    if nbytes <= free / 2:
        return True, f"data: {in_words(nbytes)}, kept on {device} with {in_words(free)} free"
    why = f"over half of the {in_words(free)} free on {device}"
    return False, f"data: {in_words(nbytes)}, streamed, being {why}"


def in_words(nbytes: float) -> str:
    """A number of bytes for people.

    >>> in_words(4_300_000_000)
    '4.3 GB'
    """
    for unit in ("B", "kB", "MB"):
        if nbytes < 1000:
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1000
    return f"{nbytes:.3g} GB"


def _free(device: Any) -> int | None:
    """Bytes of memory that are free on a device, if that is known."""
    if device.platform != "cpu":
        known = device.memory_stats() or {}
        limit = known.get("bytes_limit")
        return limit and limit - known.get("bytes_in_use", 0)
    try:
        with open("/proc/meminfo") as file:
            available = next(line for line in file if line.startswith("MemAvailable:"))
        return int(available.split()[1]) * 1024
    except (OSError, StopIteration):
        names = getattr(os, "sysconf_names", {})
        if "SC_PHYS_PAGES" not in names:
            return None
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _divide(rng: np.random.Generator, size: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    held_out = round(size * share)
    if not 0 < held_out < size:
        raise ValueError(
            f"validation_split={share} of {size} examples leaves {size - held_out} to train on and "
            f"{held_out} to validate on; both need at least one"
        )
    order = rng.permutation(size)
    return np.sort(order[held_out:]), np.sort(order[:held_out])
