"""Sharded checkpoints, where orbax is installed: pip install 'jaxnet[ckpt]'."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnet.train import TrainState
from jaxnet.train.orbax import OrbaxCheckpoints
from jaxnet.train.snapshot import digest

pytest.importorskip("orbax.checkpoint")

mesh = jax.make_mesh((4,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
split, whole = (jax.NamedSharding(mesh, jax.P(*axes)) for axes in (("d",), ()))


def values():
    tx = optax.adam(0.1)
    state = TrainState.create({"0": {"w": jnp.arange(8.0)}}, tx, jax.random.key(3))
    return {
        "state": jax.device_put(
            state, jax.tree.map(lambda x: split if x.shape == (8,) else whole, state)
        ),
        "empty": jnp.zeros((0, 3)),
        "half": jnp.ones(4, jnp.bfloat16),
        "numpy": np.arange(5),
        "keys": jax.random.split(jax.random.key(1), 4),
    }


def test_a_sharded_state_returns_bit_for_bit_in_any_layout(tmp_path):
    saved = values()
    info = {"losses": [0.1, math.nan], "position": 3}
    with OrbaxCheckpoints(tmp_path) as checkpoints:
        checkpoints.save(3, saved, info=info, metrics={"loss": 1.0})
        restored = checkpoints.restore(saved)
    assert digest(restored.tree) == digest(saved)
    assert restored.step == 3 and repr(restored.info) == repr(info)
    assert restored.metrics == {"loss": 1.0}
    assert restored.tree["state"].params["0"]["w"].sharding == split
    assert not restored.tree["half"].committed
    assert isinstance(restored.tree["numpy"], np.ndarray)

    def moved(leaf):
        if isinstance(leaf, np.ndarray):
            return leaf
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=whole)

    other = OrbaxCheckpoints(tmp_path).restore(jax.tree.map(moved, saved)).tree
    assert all(leaf.sharding == whole for leaf in jax.tree.leaves(other["state"]))
    assert digest(other) == digest(saved)


@pytest.mark.parametrize("data", [False, True], ids=["typed", "words"])
def test_a_state_that_was_saved_with_step_and_key_apart_returns(tmp_path, data):
    state = values()["state"]
    older = {name: getattr(state, name) for name in ("step", "params", "opt_state", "key", "extra")}
    older["key"] = jax.random.key_data(state.key) if data else state.key
    with OrbaxCheckpoints(tmp_path) as checkpoints:
        checkpoints.save(1, {"state": older})
        again = checkpoints.restore({"state": state}).tree["state"]
    assert digest(again) == digest(state)
    assert again.clock.sharding == whole and again.params["0"]["w"].sharding == split


def test_what_was_saved_may_be_donated(tmp_path):
    x = {"x": jax.device_put(jnp.arange(8000.0), split), "y": jnp.zeros(1000)}
    overwrite = jax.jit(lambda x: x - 1, donate_argnums=0)
    like = jax.tree.map(jnp.copy, x)
    with OrbaxCheckpoints(tmp_path) as checkpoints:
        checkpoints.save(0, x)
        for _ in range(3):
            x = jax.tree.map(overwrite, x)
        chex.assert_trees_all_equal(checkpoints.restore(like).tree, like)


def test_floating_point_takes_the_dtype_of_its_place_and_nothing_else(tmp_path):
    with OrbaxCheckpoints(tmp_path) as checkpoints:
        checkpoints.save(0, {"w": jnp.ones(2), "n": jnp.ones(2, jnp.int32), "k": jax.random.key(0)})
        like = {"w": jnp.zeros(2, jnp.bfloat16), "n": jnp.zeros(2), "b": jnp.zeros(1)}
        with pytest.raises(ValueError, match="does not hold what is needed") as caught:
            checkpoints.restore(like)
        assert sorted(str(caught.value).splitlines()[1:]) == [
            "  mismatching  n: given int32[2], needs float32[2]",
            "  missing      b: needs float32[1]",
            "  unexpected   k: given key<fry>[]",
        ]
        like = {"w": like["w"], "n": jnp.zeros(2, jnp.int32), "k": jax.random.key(1)}
        restored = checkpoints.restore(like)
    chex.assert_trees_all_equal(restored.tree["w"], jnp.ones(2, jnp.bfloat16))
    assert restored.report.cast == {"w": "float32 to bfloat16"}


@pytest.mark.parametrize(("mode", "best"), [("min", 2), ("max", 4)])
def test_the_last_and_the_best_are_kept(tmp_path, mode, best):
    losses = {1: 5.0, 2: 1.0, 3: math.nan, 4: 9.0, 5: 7.0, 6: 3.0}
    with OrbaxCheckpoints(
        tmp_path, keep=1, best="loss", mode=mode, asynchronous=False
    ) as checkpoints:
        for step, loss in losses.items():
            checkpoints.save(step, {"x": jnp.full(3, step)}, metrics={"loss": loss})
        assert checkpoints.steps() == [best, 6] and checkpoints.best() == best
        assert checkpoints.restore({"x": jnp.zeros(3, int)}, step="best").step == best
        assert checkpoints.restore({"x": jnp.zeros(3, int)}).tree["x"][0] == 6
        with pytest.raises(ValueError, match=r"no checkpoint for step=3; there are: "):
            checkpoints.restore({}, step=3)
        with pytest.raises(ValueError, match="step 6 is not after the last checkpoint, of step 6"):
            checkpoints.save(6, {"x": jnp.zeros(1)}, metrics={"loss": 0})
        with pytest.raises(ValueError, match="'loss', which is not in metrics"):
            checkpoints.save(7, {"x": jnp.zeros(1)})
    with OrbaxCheckpoints(tmp_path / "none") as checkpoints:
        with pytest.raises(ValueError, match="none has no checkpoint; there are: none"):
            checkpoints.restore({})
        with pytest.raises(ValueError, match="is said by a metric"):
            checkpoints.best()
