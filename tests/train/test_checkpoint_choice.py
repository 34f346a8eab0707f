"""Which checkpoints stay, and which one is restored."""

import math
import os

import numpy as np
import pytest

from jaxnet.train.checkpoint import Checkpoints


def on_disk(folder):
    return sorted(os.listdir(folder))


def saved(folder, losses, **options):
    checkpoints = Checkpoints(folder, asynchronous=False, **options)
    for step, loss in losses.items():
        checkpoints.save(step, {"x": np.full(3, step)}, metrics={"loss": loss})
    return checkpoints


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({}, [5, 6, 7]),
        ({"keep": 1}, [7]),
        ({"keep": None}, [1, 2, 3, 4, 5, 6, 7]),
        ({"keep": 1, "best": "loss"}, [2, 7]),
        ({"keep": 2, "best": "loss", "keep_best": 2}, [2, 4, 6, 7]),
        ({"keep": 2, "best": "loss", "mode": "max"}, [5, 6, 7]),
        ({"keep": 1, "best": "loss", "keep_best": 0}, [7]),
    ],
    ids=str,
)
def test_the_last_and_the_best_are_kept(tmp_path, options, steps):
    losses = {1: 5.0, 2: 1.0, 3: math.nan, 4: 1.0, 5: 8.0, 6: math.nan, 7: 3.0}
    checkpoints = saved(tmp_path, losses, **options)
    assert checkpoints.steps() == steps
    assert on_disk(tmp_path) == [f"{step:08d}" for step in steps]
    if options.get("best") and options.get("keep_best"):
        assert checkpoints.best() == 2
        assert checkpoints.restore(step="best").step == 2


def test_any_checkpoint_can_be_asked_for(tmp_path):
    checkpoints = saved(tmp_path, {1: 0.5, 2: 0.1, 3: 0.3}, best="loss")
    assert [checkpoints.restore(step=s).step for s in (None, 1, 2, "best")] == [3, 1, 2, 2]
    with pytest.raises(ValueError, match=r"no checkpoint for step=4; there are: 1, 2, 3"):
        checkpoints.restore(step=4)
    with pytest.raises(ValueError, match="is said by a metric: Checkpoints"):
        Checkpoints(tmp_path).restore(step="best")
    with pytest.raises(ValueError, match="no checkpoint for step='best'; there are: 1, 2, 3"):
        Checkpoints(tmp_path, best="accuracy").restore(step="best")
    assert Checkpoints(tmp_path, best="accuracy").best() is None
    with pytest.raises(ValueError, match="nothing has no checkpoint; there are: none"):
        Checkpoints(tmp_path / "nothing").restore()


def test_the_newest_is_the_one_that_was_written_last(tmp_path):
    """A run that went back to an earlier step goes on from there after a restart."""
    checkpoints = saved(tmp_path, {10: 0.0, 20: 0.0, 30: 0.0})
    checkpoints.save(15, {"x": np.full(3, 15)})
    assert Checkpoints(tmp_path).restore().step == 15
    checkpoints.save(20, {"x": np.full(3, -20)})
    assert checkpoints.steps() == [15, 20, 30]
    restored = Checkpoints(tmp_path).restore()
    assert restored.step == 20 and restored.tree["x"].tolist() == [-20] * 3


def test_steps_of_any_length_and_other_files_live_side_by_side(tmp_path):
    for name in ("notes.txt", "123", "000000001", ".00000001.part.txt", "00000001.old"):
        (tmp_path / name).mkdir()
    before = on_disk(tmp_path)
    checkpoints = saved(tmp_path, {2: 0.0, 123_456_789_012: 0.0}, keep=1)
    assert checkpoints.steps() == [123_456_789_012]
    assert on_disk(tmp_path) == sorted([*before, "123456789012"])
