import os
import stat

import chex
import jax
import jax.numpy as jnp
import pytest
from safetensors.numpy import load_file

import jaxnet as jn
from jaxnet import nn
from jaxnet.interop.safetensors import load, save

x = jnp.ones((2, 3))
net = nn.Sequential(nn.Linear(4), nn.BatchNorm(), nn.Repeat(nn.Linear(4), 2))
params = net.init(jax.random.key(0), x)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_what_is_saved_is_loaded(tmp_path, dtype):
    path = tmp_path / "weights.safetensors"
    cast = jax.tree.map(lambda leaf: leaf.astype(dtype), params)
    save(path, cast)
    loaded = load(path, jn.specs(net, x))
    chex.assert_trees_all_equal(loaded, cast)
    chex.assert_trees_all_equal_dtypes(loaded, cast)
    assert sorted(load_file(path)) == sorted(jn.tree.flatten(params))
    assert os.listdir(tmp_path) == ["weights.safetensors"]


def test_views_and_transposes_are_saved_as_they_look(tmp_path):
    tree = {"w": jnp.arange(6.0).reshape(2, 3).T}
    save(tmp_path / "w", tree)
    chex.assert_trees_all_equal(load(tmp_path / "w"), tree)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    save(path, params)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        save(path, jax.tree.map(jnp.zeros_like, params))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["weights.safetensors"]


def test_a_new_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "plain").touch()
    save(tmp_path / "w", params)
    modes = [stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("plain", "w")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("leaf", [1.0, jax.random.key(0), "text"])
def test_only_arrays_of_numbers_are_saved(tmp_path, leaf):
    with pytest.raises(ValueError, match="a weights file holds arrays of numbers"):
        save(tmp_path / "w", {"w": leaf})
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_file_that_is_cut_short_is_refused(tmp_path, keep):
    save(tmp_path / "w", params)
    whole = (tmp_path / "w").read_bytes()
    (tmp_path / "w").write_bytes(whole[:keep])
    with pytest.raises(ValueError, match="w is not a whole safetensors file"):
        load(tmp_path / "w")


def test_every_misfit_of_a_file_is_listed(tmp_path):
    save(tmp_path / "w", {"kernel": jnp.ones((4, 3)), "weight": jnp.ones(2)})
    with pytest.raises(ValueError, match="does not hold what is needed") as caught:
        load(tmp_path / "w", jn.specs(nn.Linear(4), x))
    assert sorted(str(caught.value).splitlines()[1:]) == [
        "  mismatch    kernel: given float32[4,3], needs float32[3,4]",
        "  missing     bias: needs float32[4]",
        "  unexpected  weight: given float32[2]",
    ]
