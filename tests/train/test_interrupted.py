"""Whatever ends a write in the middle, what was there before can be restored."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from jaxnet.train import snapshot
from jaxnet.train.checkpoint import Checkpoints

GOOD, NEWER, LARGE = ({"x": np.full(size, size)} for size in (3, 4, 100_000))


def save(folder, step, values):
    Checkpoints(folder, asynchronous=False).save(step, values)


@pytest.fixture
def run(tmp_path):
    """A folder with a good checkpoint of step 1 and a newer one of step 2."""
    save(tmp_path, 1, GOOD)
    save(tmp_path, 2, NEWER)
    return tmp_path


def restored(folder):
    """The step that a folder gives back, if all is as it was saved."""
    result = Checkpoints(folder).restore()
    assert result.tree["x"].tolist() == ([3] * 3 if result.step == 1 else [4] * 4)
    assert not result.report.skipped
    return result.step


@pytest.mark.parametrize("step", [2, 3])
def test_a_disk_that_is_full_at_any_time_leaves_what_was_there(run, monkeypatch, step):
    """Each call of the operating system fails in turn: of replacing one and of adding one."""

    def fail_at(number):
        count = 0
        for owner, name in [
            (os, "fsync"),
            (os, "replace"),
            (os, "mkdir"),
            (snapshot.Path, "write_bytes"),
            (snapshot.Path, "touch"),
            (snapshot.Path, "chmod"),
            (snapshot.hashlib, "file_digest"),
        ]:
            real = getattr(owner, name)

            def call(*args, real=real, **options):
                nonlocal count
                count += 1
                if count == number:
                    raise OSError(28, "No space left on device")
                return real(*args, **options)

            monkeypatch.setattr(owner, name, call)

    number, last = 0, False
    for number in range(1, 100):
        fail_at(number)
        checkpoints = Checkpoints(run, keep=3)
        checkpoints.save(step, NEWER)
        try:
            checkpoints.wait()
        except OSError as error:
            assert "beside it are intact" in error.__notes__[-1]
            monkeypatch.undo()
            # The last call of all comes when the checkpoint is in its place.
            last = sorted(os.listdir(run)) != ["00000001", "00000002"]
            assert restored(run) == (step if last else 2)
        else:
            break
    assert 10 < number < 30 and last
    monkeypatch.undo()
    assert restored(run) == step


def test_a_file_that_may_not_grow_leaves_what_was_there(run):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            Checkpoints(run, asynchronous=False).save(2, LARGE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert restored(run) == 2
    assert sorted(os.listdir(run)) == ["00000001", "00000002"]


def test_an_info_too_large_to_be_read_again_is_not_written(run, monkeypatch):
    monkeypatch.setattr(snapshot, "_LARGEST_MANIFEST", 3000)
    with pytest.raises(ValueError, match="keep large things out of info"):
        Checkpoints(run, asynchronous=False).save(3, {}, info={"text": "a" * 3000})
    assert sorted(os.listdir(run)) == ["00000001", "00000002"]


def python(code, folder):
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr


def test_a_writer_killed_between_any_two_calls_leaves_what_can_be_restored(run):
    """A process dies at each rename and each removal of replacing a checkpoint and dropping one."""
    code = """
import os, shutil, sys, numpy as np
from jaxnet.train.checkpoint import Checkpoints
folder = sys.argv[1]
checkpoints = Checkpoints(folder, keep=2, asynchronous=False)
def die_at(at, owner, name):
    real, count = getattr(owner, name), 0
    def call(*args, **options):
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), 9)
        return real(*args, **options)
    setattr(owner, name, call)
for owner, name in (os, "replace"), (shutil, "rmtree"):
    for number in range(1, 20):
        checkpoints.save(1, {"x": np.full(3, 0)})
        checkpoints.save(2, {"x": np.full(3, 0)})
        assert sorted(os.listdir(folder)) == ["00000001", "00000002"], os.listdir(folder)
        child = os.fork()
        if not child:
            die_at(number, owner, name)
            checkpoints.save(2, {"x": np.full(3, 1)})
            checkpoints.save(3, {"x": np.full(3, 1)})
            os._exit(0)
        killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
        before = sorted(os.listdir(folder))
        restored = Checkpoints(folder).restore()
        assert (restored.step, restored.tree["x"][0]) in [(2, 0), (2, 1), (3, 1)], before
        assert sorted(os.listdir(folder)) == before
        checkpoints.save(3, {"x": np.full(3, 0)})
        if not killed:
            break
    assert 5 < number < 19, number
"""
    python(code, run)


def test_a_writer_killed_at_any_time_leaves_what_can_be_restored(tmp_path):
    code = """
import os, re, sys, time, numpy as np
from jaxnet.train.checkpoint import Checkpoints
folder, rng, last = sys.argv[1], np.random.default_rng(0), 0
for _ in range(15):
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        step, checkpoints = last, Checkpoints(folder, keep=2)
        while True:
            step += 1
            checkpoints.save(step, {"x": np.full(20_000, step)}, info={"step": step})
            os.write(send, b"x")
    begun = last + len(os.read(receive, 1)) + len(os.read(receive, 1))
    time.sleep(rng.uniform(0, 0.02))
    os.kill(child, 9)
    os.waitpid(child, 0)
    restored = Checkpoints(folder).restore()
    # One is written at a time, so all before the last that was begun are there.
    assert restored.step >= begun - 1 > last, (restored.step, begun)
    assert restored.info == {"step": restored.step} and not restored.report.skipped
    assert (restored.tree["x"] == restored.step).all()
    last = restored.step
Checkpoints(folder, asynchronous=False).save(last + 1, {})
names = os.listdir(folder)
assert len(names) == 3 and all(re.fullmatch(r"[0-9]{8}", name) for name in names), names
"""
    python(code, tmp_path)


def test_a_reader_removes_nothing(run):
    for name in (".00000003.part", ".00000004.trash"):
        (run / name).mkdir()
    before = sorted(os.listdir(run))
    assert restored(run) == 2
    assert sorted(os.listdir(run)) == before
    save(run, 3, NEWER)
    assert sorted(os.listdir(run)) == ["00000001", "00000002", "00000003"]


def test_an_old_checkpoint_whose_successor_is_missing_is_used(run):
    os.replace(run / "00000002", run / ".00000002.old")
    assert restored(run) == 2
    assert Checkpoints(run).steps() == [1, 2]
    save(run, 3, NEWER)
    assert sorted(os.listdir(run)) == ["00000001", "00000002", "00000003"]
