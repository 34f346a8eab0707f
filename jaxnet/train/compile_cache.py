"""JAX's compilation cache on disk: what one process compiled, the next one only loads."""

import os
import tempfile
import warnings
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache as cache


def compile_cache(folder: str | os.PathLike[str] | None = None) -> Path | None:
    """Keep compiled programs in a folder, from now on; returns it, or None where that is off.

    Without ``folder`` a cache that is already set, by ``JAX_COMPILATION_CACHE_DIR`` or
    ``jax.config``, stays exactly as it is; else it is ``jaxnet/xla`` in ``$XDG_CACHE_HOME`` or
    ``~/.cache``, and keeps programs of any size and compile time. ``JAXNET_COMPILE_CACHE=off`` in
    the environment, or ``jax_enable_compilation_cache=False``, switches this function off.
    Programs compiled before the call are not kept; those after it are. An entry belongs to one
    program, version of JAX, set of compiler options and type of device or CPU, so one folder serves
    them all; it grows until you delete it. JAX warns of a damaged entry, compiles, and does not
    repair it: delete the folder then. Whoever can write to it can run code as you.
    Warns and goes on without a cache if the folder cannot be written to. Raises ValueError for a
    value of ``JAXNET_COMPILE_CACHE`` other than off.

    >>> compile_cache("runs/compiled")  # doctest: +SKIP
    PosixPath('runs/compiled')
    """
    switch = os.environ.get("JAXNET_COMPILE_CACHE", "")
    if switch not in ("", "off"):
        raise ValueError(
            f"JAXNET_COMPILE_CACHE may be 'off', but is {switch!r}; "
            "set JAX_COMPILATION_CACHE_DIR to choose the folder"
        )
    current = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    enabled = jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]
    if switch or not enabled:
        return None
    if folder is None and current:
        return Path(current)
    try:
        path = _default() if folder is None else Path(folder)
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=path):
            pass
    except (OSError, RuntimeError) as error:
        warnings.warn(
            f"compiled programs are not kept, since their folder cannot be written to ({error}); "
            "choose one with compile_cache(folder), or set JAXNET_COMPILE_CACHE=off",
            stacklevel=2,
        )
        return None
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # JAX opens a folder at the first compilation after one is set, and never another.
    cache.reset_cache()
    return path


def _default() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jaxnet" / "xla"
