from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache as cache

from jaxnet.train.compile_cache import compile_cache

events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event.split("/")[-1]))
SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)


def settings():
    return {name: getattr(jax.config, name) for name in SETTINGS}


def restore(values):
    for name, value in values.items():
        jax.config.update(name, value)
    cache.reset_cache()


@pytest.fixture(autouse=True)
def off(monkeypatch, tmp_path):
    monkeypatch.delenv("JAXNET_COMPILE_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    before = settings()
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    restore(before)


def compiled(number):
    """A program, made anew: only the cache on disk knows that it was compiled before."""

    def triple(x):
        return 3 * x + number

    events.clear()
    program = jax.jit(triple, donate_argnums=0)
    x = jnp.arange(8.0)
    address = x.unsafe_buffer_pointer()
    y = program(x)
    assert x.is_deleted() and y.unsafe_buffer_pointer() == address
    np.testing.assert_array_equal(y, 3 * np.arange(8.0) + number)
    return "cache_hits" in events


def kept(folder):
    return [path for path in folder.rglob("*triple*") if path.is_file()]


def test_what_was_compiled_once_is_loaded(tmp_path):
    assert not compiled(1)
    assert compile_cache(tmp_path / "a") == tmp_path / "a"
    # Compiled before, but not kept; and what is loaded donates its arguments as well.
    assert not compiled(1) and len(kept(tmp_path / "a")) == 1
    assert compiled(1) and not compiled(2) and compiled(2)
    # Another folder takes over.
    assert compile_cache(tmp_path / "b") == tmp_path / "b"
    assert not compiled(1) and len(kept(tmp_path / "b")) == 1


def test_the_folder_is_in_the_cache_of_the_user(monkeypatch, tmp_path):
    assert compile_cache() == tmp_path / "home" / ".cache" / "jaxnet" / "xla"
    assert compile_cache() == Path(settings()["jax_compilation_cache_dir"])
    restore({"jax_compilation_cache_dir": None})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    folder = compile_cache()
    assert folder == tmp_path / "other" / "jaxnet" / "xla"
    assert folder is not None and folder.stat().st_mode & 0o077 == 0


def test_a_cache_that_is_set_already_stays_as_it_is(tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "mine"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 7.0)
    before = settings()
    assert compile_cache() == tmp_path / "mine" and settings() == before


def test_it_can_be_switched_off(monkeypatch, tmp_path):
    monkeypatch.setenv("JAXNET_COMPILE_CACHE", "off")
    before = settings()
    assert compile_cache() is None and compile_cache(tmp_path) is None and settings() == before
    monkeypatch.delenv("JAXNET_COMPILE_CACHE")
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        assert compile_cache(tmp_path) is None and settings() == before
    finally:
        jax.config.update("jax_enable_compilation_cache", True)


def test_another_value_of_the_switch_is_an_error(monkeypatch):
    monkeypatch.setenv("JAXNET_COMPILE_CACHE", "0")
    with pytest.raises(ValueError, match="JAXNET_COMPILE_CACHE may be 'off', but is '0'"):
        compile_cache()


def test_a_folder_that_cannot_be_written_to_is_a_warning(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    before = settings()
    with pytest.warns(UserWarning, match="cannot be written to .*file.*compile_cache.folder."):
        assert compile_cache(tmp_path / "file" / "cache") is None
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    with pytest.warns(UserWarning, match="compiled programs are not kept"):
        assert compile_cache() is None
    assert settings() == before
    assert not compiled(1)
