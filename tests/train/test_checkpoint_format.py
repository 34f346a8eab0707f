"""The format of a checkpoint, which is frozen: what one release writes, later ones read."""

import hashlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnet.core import tree
from jaxnet.train.checkpoint import Checkpoints
from jaxnet.train.snapshot import digest

SAMPLES = Path(__file__).parent / "samples"


def test_the_digest_is_what_it_is_defined_to_be(tmp_path):
    values = {"b": np.arange(3, dtype=np.int16), "a": {"k": jax.random.key(7)}}
    total = hashlib.sha256()
    total.update(
        b'["a/k", {"dtype": "uint32", "key": "threefry2x32", "shape": [2]}]\0\0\0\0\7\0\0\0'
    )
    total.update(b'["b", {"dtype": "int16", "shape": [3]}]\0\0\1\0\2\0')
    assert digest(values) == total.hexdigest()
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(0, values)
    manifest = json.loads((tmp_path / "00000000" / "manifest.json").read_text())
    assert manifest["digest"] == total.hexdigest()
    data = (tmp_path / "00000000" / "tensors.safetensors").read_bytes()
    assert manifest["tensors_sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        {"b": np.zeros(4, np.float32)},
        {"a": np.zeros((2, 2), np.float32)},
        {"a": np.zeros(4, np.int32)},
        {"a": -np.zeros(4, np.float32)},
        {"a": np.zeros(4, np.float32), "b": np.zeros(0)},
        {"a": np.zeros(2, np.float32), "b": np.zeros(2, np.float32)},
    ],
    ids=lambda x: str({name: (y.shape, str(y.dtype)) for name, y in x.items()}),
)
def test_any_difference_changes_the_digest(other):
    assert digest({"a": jnp.zeros(4)}) == digest({"a": np.zeros(4, np.float32)})
    assert digest({"a": jnp.zeros(4)}) != digest(other)


@pytest.mark.parametrize("release", sorted(path.name for path in SAMPLES.glob("*.*.*")))
def test_a_checkpoint_of_an_earlier_release_is_read(release):
    """It holds what samples/make.py wrote with that release, as values and digest say."""
    restored = Checkpoints(SAMPLES / release, best="val_loss").restore()
    expected = json.loads((SAMPLES / release / "expected.json").read_text())
    flat = tree.flatten(restored.tree)
    assert digest(restored.tree) == expected["digest"]
    assert set(flat) == set(expected["leaves"])
    for path, leaf in flat.items():
        data = jax.random.key_data(leaf) if isinstance(leaf, jax.Array) else leaf
        assert str(leaf.dtype) == expected["leaves"][path]["dtype"]
        assert np.asarray(data).tobytes().hex() == expected["leaves"][path]["bytes"]
    assert restored.step == expected["step"] and restored.metrics == expected["metrics"]
    assert repr(restored.info) == repr(expected["info"])


def rewrite(folder, **changes):
    """Changes a manifest, and its checksum with it."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) | changes
    del manifest["sha256"]
    text = json.dumps(manifest)
    manifest["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(manifest))


def test_what_a_later_version_adds_is_ignored_but_a_newer_format_is_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"x": np.zeros(3)})
    checkpoints.wait()
    rewrite(tmp_path / "00000001", more={"of": "it"})
    assert checkpoints.restore().step == 1
    rewrite(tmp_path / "00000001", format=2, tensors=[])
    with pytest.raises(ValueError, match=r"has format 2, written by .*; use a newer jaxnet"):
        checkpoints.restore()
