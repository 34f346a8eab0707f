import json
import os
import resource
import subprocess
import sys
from typing import Any

import hypothesis.extra.numpy as hnp
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from jaxnet.core.tensors import DamagedFile, load_tensors, save_tensors, write_atomically

DTYPES = sorted({str(x.dtype) for x in vars(jnp).values() if isinstance(x, type(jnp.float32))})


def bits(array):
    return array.dtype.name, array.shape, array.tobytes()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 3)], ids=str)
def test_every_dtype_returns_bit_for_bit(tmp_path, shape):
    rng = np.random.default_rng(0)
    arrays = {}
    for dtype in DTYPES:
        values = rng.integers(0, 2, shape) if "int" in dtype else rng.normal(size=shape)
        arrays[dtype] = np.asarray(values).astype(jnp.dtype(dtype))
    save_tensors(tmp_path / "w", arrays, {"made": "é"})
    loaded, metadata = load_tensors(tmp_path / "w")
    assert metadata == {"made": "é"}
    assert {name: bits(x) for name, x in loaded.items()} == {n: bits(x) for n, x in arrays.items()}
    assert all(x.flags.writeable for x in loaded.values())


def test_all_bit_patterns_return(tmp_path):
    """NaNs with a payload, negative zeros and subnormal numbers are left as they are."""
    patterns = np.arange(2**16, dtype=np.uint16)
    for dtype in ("float16", "bfloat16"):
        save_tensors(tmp_path / "w", {"x": patterns.view(jnp.dtype(dtype))})
        loaded = load_tensors(tmp_path / "w")[0]["x"]
        assert (loaded.view(np.uint16) == patterns).all()


@settings(max_examples=20, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=8).filter(lambda s: s != "__metadata__" and s.isprintable()),
        hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, min_side=0)),
    )
)
def test_any_names_and_shapes_return(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("any") / "w"
    save_tensors(path, arrays)
    loaded, metadata = load_tensors(path)
    assert {name: bits(x) for name, x in loaded.items()} == {n: bits(x) for n, x in arrays.items()}
    assert metadata == {}


def test_the_library_reads_what_is_written(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.arange(3, dtype=">i4")}
    save_tensors(tmp_path / "w", arrays)
    for name, array in load_file(tmp_path / "w").items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([None]), np.zeros(2, "f4,i4")])
def test_only_what_jax_has_is_written(tmp_path, array):
    with pytest.raises(ValueError, match=r"w is of dtype .*, which JAX does not have"):
        save_tensors(tmp_path / "x", {"w": array})
    assert not os.listdir(tmp_path)


def write(path, header, body=b"", size: Any = None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text) if size is None else size
    path.write_bytes(length.to_bytes(8, "little") + text + body)


def tensor(shape, offsets, dtype="F32", **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


ONE = b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
HOSTILE = {
    "length of 2**63": ({}, b"", 2**63),
    "length of 2**64 - 1": ({}, b"", 2**64 - 1),
    "length beyond the file": ({}, b"", 100),
    "deep lists": (b"[" * 100_000, b"", None),
    "deep dicts": (b'{"a":' * 100_000, b"", None),
    "deep metadata": (b'{"__metadata__":' + b"[" * 100_000, b"", None),
    "garbage": (b"\xff\xfe{}", b"", None),
    "null": (b"null", b"", None),
    "nothing": (b"", b"", None),
    "huge shape": ({"a": tensor([2**62, 4], [0, 0])}, b"", None),
    "huge shape of nothing": ({"a": tensor([0, 2**62, 2**62], [0, 0])}, b"", None),
    "huge axis of nothing": ({"a": tensor([0, 2**64 - 1], [0, 0])}, b"", None),
    "more axes than arrays have": ({"a": tensor([1] * 100, [0, 4])}, b"1234", None),
    "negative shape": ({"a": tensor([-1], [0, 4])}, b"1234", None),
    "fractional shape": ({"a": tensor([1.0], [0, 4])}, b"1234", None),
    "no shape": ({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, b"1234", None),
    "another dtype": ({"a": tensor([1], [0, 4], "F64")}, b"1234", None),
    "unknown dtype": ({"a": tensor([1], [0, 4], "O")}, b"1234", None),
    "packed dtype": ({"a": tensor([8], [0, 4], "F4")}, b"1234", None),
    "overlap": ({"a": tensor([1], [0, 4]), "b": tensor([1], [0, 4])}, b"1234", None),
    "reversed": ({"a": tensor([1], [4, 0])}, b"1234", None),
    "hole": ({"a": tensor([1], [4, 8])}, b"12345678", None),
    "too little data": ({"a": tensor([2], [0, 8])}, b"1234", None),
    "too much data": ({"a": tensor([1], [0, 4])}, b"12345", None),
    "far offsets": ({"a": tensor([1], [2**63, 2**63 + 4])}, b"1234", None),
    "one name twice": (b"{" + ONE + b"," + ONE.replace(b"F32", b"I32") + b"}", b"1234", None),
    "metadata of numbers": ({"__metadata__": {"x": 1}}, b"", None),
    "dtypes that are a list": ({"__metadata__": {"jaxnet.dtypes": "[]"}}, b"", None),
    "dtypes of nothing": ({"__metadata__": {"jaxnet.dtypes": '{"a": "int4"}'}}, b"", None),
    "deep dtypes": ({"__metadata__": {"jaxnet.dtypes": '{"a":' * 100_000}}, b"", None),
    **{
        f"dtype {name} of {code}{shape}": (
            {
                "__metadata__": {"jaxnet.dtypes": json.dumps({"a": name})},
                "a": tensor(shape, [0, 8], code),
            },
            b"12345678",
            None,
        )
        for name, code, shape in [
            ("object", "U8", [8]),
            ("float32", "U8", [2, 4]),
            ("complex128", "U8", [8]),
            ("int4", "I8", [8, 1]),
            ("int4", "U8", [8]),
            (["int4"], "U8", [8, 1]),
        ]
    },
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused(tmp_path, case):
    write(tmp_path / "w", *HOSTILE[case])
    with pytest.raises(DamagedFile, match="w is not a whole safetensors file"):
        load_tensors(tmp_path / "w")


def test_a_hostile_file_takes_no_memory(tmp_path):
    """In a process that may have little memory, every file is refused in little time."""
    for number, case in enumerate(HOSTILE.values()):
        write(tmp_path / f"{number}", *case)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "endless").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    code = f"""
import os, resource, signal, jax
from jaxnet.core.tensors import load_tensors
import safetensors.numpy
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, used + 2**27))
signal.alarm(20)
for name in sorted(os.listdir({str(tmp_path)!r})):
    try:
        load_tensors(os.path.join({str(tmp_path)!r}, name))
    except (ValueError, OSError):
        continue
    raise SystemExit(name + " was read")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("call", ["touch", "write_bytes", "fsync", "replace"])
def test_a_full_disk_leaves_the_previous_file(tmp_path, monkeypatch, call):
    write_atomically(tmp_path / "w", b"before")

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if call in ("fsync", "replace") else type(tmp_path), call, fail)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(tmp_path / "w", b"after, and longer")
    assert "what was there before is intact" in caught.value.__notes__[0]
    monkeypatch.undo()
    assert (tmp_path / "w").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["w"]


@pytest.mark.parametrize("limit", [1, 100, 5000])
def test_a_file_that_may_not_grow_leaves_the_previous_one(tmp_path, limit):
    """The operating system itself ends the write, at several places."""
    save_tensors(tmp_path / "w", {"x": np.ones(3)})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            save_tensors(tmp_path / "w", {"x": np.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Free some space" in caught.value.__notes__[0]
    np.testing.assert_array_equal(load_tensors(tmp_path / "w")[0]["x"], np.ones(3))
    assert os.listdir(tmp_path) == ["w"]


def test_an_interrupted_write_leaves_the_previous_file(tmp_path, monkeypatch):
    write_atomically(tmp_path / "w", b"before")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "w", b"after")
    assert (tmp_path / "w").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["w"]


def test_what_is_not_there_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_tensors(tmp_path / "w")
    with pytest.raises(DamagedFile, match="is not a file"):
        load_tensors(tmp_path)
    with pytest.raises(FileNotFoundError):
        save_tensors(tmp_path / "nowhere" / "w", {})
