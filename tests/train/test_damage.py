"""Whatever happens to the files of a checkpoint, what is restored is right, or it is an error."""

import hashlib
import json
import os
import tracemalloc
import warnings

import numpy as np
import pytest

from jaxnet.train.checkpoint import Checkpoints
from jaxnet.train.snapshot import digest

GOOD = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([True, False])}
NEWER = {"w": GOOD["w"] + 10, "b": ~GOOD["b"]}
INFO = {"loss": [0.1, float("nan")]}


def save(folder, step, values):
    Checkpoints(folder, asynchronous=False).save(step, values, info=INFO | {"step": step})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The two files of a checkpoint."""
    folder = tmp_path_factory.mktemp("whole")
    save(folder, 1, GOOD)
    save(folder, 2, NEWER)
    return {path.name: path.read_bytes() for path in (folder / "00000002").iterdir()}


@pytest.fixture
def run(tmp_path):
    """A folder with a good checkpoint of step 1 and a newer one of step 2."""
    save(tmp_path, 1, GOOD)
    save(tmp_path, 2, NEWER)
    return tmp_path


def restored(folder):
    """What a folder gives back: the step, if all is as it was saved, or else the error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = Checkpoints(folder).restore()
    expected = {1: GOOD, 2: NEWER}[result.step]
    assert digest(result.tree) == digest(expected)
    assert repr(result.info) == repr(INFO | {"step": result.step})
    if result.step == 1:
        (warning,) = caught
        assert "00000002" in str(warning.message) and "restoring" in str(warning.message)
        assert warning.filename == __file__
        assert list(result.report.skipped) == [str(folder / "00000002")]
    else:
        assert not caught and not result.report.skipped
    return result.step


def places(size, count):
    """So many of the places in a file, its first and last among them."""
    return sorted({round(i * (size - 1) / (count - 1)) for i in range(count)})


@pytest.mark.parametrize("name", ["tensors.safetensors", "manifest.json"])
def test_a_file_that_is_cut_short_is_passed_over(run, whole, name):
    for size in places(len(whole[name]), 40):
        (run / "00000002" / name).write_bytes(whole[name][:size])
        assert restored(run) == 1


@pytest.mark.parametrize("name", ["tensors.safetensors", "manifest.json"])
def test_a_bit_that_flips_changes_no_value(run, whole, name):
    steps = []
    for place in places(len(whole[name]), 100):
        data = bytearray(whole[name])
        data[place] ^= 1 << place % 8
        (run / "00000002" / name).write_bytes(data)
        steps.append(restored(run))
    # Space between the words of a manifest may become other space.
    assert steps.count(2) <= (0 if name == "tensors.safetensors" else 10)


@pytest.mark.parametrize("name", ["tensors.safetensors", "manifest.json"])
@pytest.mark.parametrize("what", ["nothing", "empty", "zeros", "longer", "folder", "loop", "pipe"])
def test_a_file_that_is_no_file_is_passed_over(run, whole, name, what):
    path = run / "00000002" / name
    path.unlink()
    match what:
        case "empty":
            path.touch()
        case "zeros":
            path.write_bytes(bytes(len(whole[name])))
        case "longer":
            path.write_bytes(whole[name] + b"{}")
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "pipe":
            os.mkfifo(path)
    assert restored(run) == 1


def test_a_checkpoint_that_is_no_folder_is_passed_over(run):
    for name in ("manifest.json", "tensors.safetensors"):
        (run / "00000002" / name).unlink()
    (run / "00000002").rmdir()
    (run / "00000002").touch()
    assert restored(run) == 1
    (run / "00000002").unlink()
    (run / "00000002").symlink_to(run / "00000002")
    assert restored(run) == 1
    save(run, 2, NEWER)
    assert restored(run) == 2


def rewrite(folder, change):
    """Changes a manifest, and its checksum with it, as someone would who means harm."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["sha256"]
    change(manifest)
    text = json.dumps(manifest)
    path.write_text(json.dumps(manifest | {"sha256": hashlib.sha256(text.encode()).hexdigest()}))


CHANGES = {
    "dtype": lambda m: m["tensors"]["w"].update(dtype="int32"),
    "object dtype": lambda m: m["tensors"]["w"].update(dtype="object"),
    "shape": lambda m: m["tensors"]["w"].update(shape=[3, 2]),
    "huge shape": lambda m: m["tensors"]["w"].update(shape=[2**31, 2**31]),
    "negative shape": lambda m: m["tensors"]["w"].update(shape=[-2, -3]),
    "shape of another kind": lambda m: m["tensors"]["w"].update(shape={"2": 3}),
    "a key of random numbers": lambda m: m["tensors"]["w"].update(key="threefry2x32"),
    "a key of no kind": lambda m: m["tensors"]["w"].update(key=[1]),
    "one tensor less": lambda m: m["tensors"].pop("b"),
    "one tensor more": lambda m: m["tensors"].update(c={"dtype": "float32", "shape": [2**28]}),
    "tensors exchanged": lambda m: m["tensors"].update(w=m["tensors"]["b"]),
    "tensors of another kind": lambda m: m.update(tensors=[1, 2]),
    "a tensor of another kind": lambda m: m["tensors"].update(w=5),
    "no tensors": lambda m: m.pop("tensors"),
    "digest": lambda m: m.update(digest="0" * 64),
    "no digest": lambda m: m.pop("digest"),
    "checksum of another file": lambda m: m.update(tensors_sha256="0" * 64),
    "checksum of another kind": lambda m: m.update(tensors_sha256=None),
    "step": lambda m: m.update(step=3),
    "no step": lambda m: m.pop("step"),
    "serial of another kind": lambda m: m.update(serial="last"),
    "no serial": lambda m: m.pop("serial"),
    "info of another kind": lambda m: m.update(info=[]),
    "metrics of another kind": lambda m: m.update(metrics={"loss": "low"}),
    "no format": lambda m: m.pop("format"),
    "format of another kind": lambda m: m.update(format="1"),
    "format before the first": lambda m: m.update(format=0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_manifest_that_does_not_fit_is_passed_over(run, change):
    rewrite(run / "00000002", CHANGES[change])
    assert restored(run) == 1


@pytest.mark.parametrize(
    "text",
    [
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{}",
        b'{"sha256": 5}',
        b"\xff\xfe\x00",
        b"{" * 9,
        b"1" * 9999,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format": 1' + b"0" * 5000 + b"}",
    ],
    ids=lambda text: text[:12].decode("latin1"),
)
def test_a_manifest_of_garbage_is_passed_over(run, text):
    (run / "00000002" / "manifest.json").write_bytes(text)
    assert restored(run) == 1


def header_of(data):
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


HEADERS = {
    "dtype": lambda h: h["w"].update(dtype="I32"),
    "shape": lambda h: h["w"].update(shape=[3, 2]),
    "huge shape": lambda h: h["w"].update(shape=[2**62, 4]),
    "no data": lambda h: h["w"].update(data_offsets=[0, 0]),
    "overlap": lambda h: h["w"].update(data_offsets=h["b"]["data_offsets"]),
    "names exchanged": lambda h: h.update(w=h["b"], b=h["w"]),
    "another name": lambda h: h.update(v=h.pop("w")),
    "far away": lambda h: h["w"].update(data_offsets=[2**40, 2**40 + 24]),
}


@pytest.mark.parametrize("change", HEADERS)
def test_a_header_with_a_fitting_checksum_is_checked_too(run, whole, change):
    header, body = header_of(whole["tensors.safetensors"])
    HEADERS[change](header)
    text = json.dumps(header).encode()
    data = len(text).to_bytes(8, "little") + text + body
    (run / "00000002" / "tensors.safetensors").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    rewrite(run / "00000002", lambda manifest: manifest.update(tensors_sha256=sha256))
    assert restored(run) == 1


def test_what_is_claimed_takes_no_memory(run, whole):
    with (run / "00000002" / "manifest.json").open("ab") as file:
        file.truncate(2**40)
    tracemalloc.start()
    try:
        assert restored(run) == 1
        (run / "00000002" / "manifest.json").write_bytes(whole["manifest.json"])
        rewrite(run / "00000002", CHANGES["huge shape"])
        assert restored(run) == 1
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_if_none_is_intact_each_cause_is_given(run):
    (run / "00000001" / "manifest.json").unlink()
    (run / "00000002" / "tensors.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="has no checkpoint that is intact:") as caught:
        Checkpoints(run).restore()
    first, second = str(caught.value).splitlines()[1:]
    assert "00000001/manifest.json is damaged" in first and "No such file" in first
    assert "00000002/tensors.safetensors is damaged: its checksum" in second


def test_a_damaged_checkpoint_that_was_asked_for_is_an_error(run):
    (run / "00000002" / "tensors.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no checkpoint that is intact:\n.*00000002/tensors"):
        Checkpoints(run).restore(step=2)
    assert Checkpoints(run).restore(step=1).step == 1
    (run / "00000002" / "manifest.json").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no checkpoint that is intact:\n.*00000002/manifest"):
        Checkpoints(run).restore(step=2)


def test_writing_on_after_damage_loses_nothing(run):
    """A damaged checkpoint neither counts as one that is kept nor stands in the way."""
    (run / "00000002" / "manifest.json").write_bytes(b"")
    checkpoints = Checkpoints(run, keep=2, asynchronous=False)
    checkpoints.save(3, NEWER)
    assert checkpoints.steps() == [1, 2, 3]
    checkpoints.save(2, NEWER, info=INFO | {"step": 2})
    assert restored(run) == 2
    assert checkpoints.steps() == [2, 3]
