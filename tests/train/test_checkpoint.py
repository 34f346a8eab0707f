import json
import math
import os
import subprocess
import sys
import threading

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnet.core import tree
from jaxnet.train import TrainState, train_step
from jaxnet.train import checkpoint as module
from jaxnet.train.checkpoint import Checkpoints
from jaxnet.train.snapshot import check_info, digest

tx = optax.adam(0.1)


def loss_fn(params, batch, key):
    noise = jax.random.normal(key, batch.shape)
    return jnp.square(params["0"]["w"] - batch - noise).mean()


def new_state():
    return TrainState.create({"0": {"w": jnp.zeros(3)}}, tx, jax.random.key(0))


def on_disk(folder):
    return sorted(os.listdir(folder))


def test_a_run_that_resumes_ends_bit_for_bit_where_it_would_have(tmp_path):
    step = train_step(loss_fn, tx)
    batches = jax.random.normal(jax.random.key(1), (6, 3))
    state = new_state()
    for batch in batches[:3]:
        state, _ = step(state, batch)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(3, {"state": state}, info={"position": 3})
        for batch in batches[3:]:
            state, _ = step(state, batch)
    restored = Checkpoints(tmp_path).restore({"state": jax.eval_shape(new_state)})
    assert (restored.step, restored.info) == (3, {"position": 3})
    again = restored.tree["state"]
    for batch in batches[3:]:
        again, _ = step(again, batch)
    assert digest(again) == digest(state)
    chex.assert_trees_all_equal(again, state)


def test_saving_copies_before_the_buffers_are_donated(tmp_path, monkeypatch):
    """The writer is held back until the state that was saved has been overwritten."""
    go, written = threading.Event(), module.write

    def late(*args):
        assert go.wait(5)
        written(*args)

    monkeypatch.setattr(module, "write", late)
    overwrite = jax.jit(lambda x: x - 1, donate_argnums=0)
    mesh = jax.make_mesh((4,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    state = {
        "one": jnp.arange(10_000.0),
        "split": jax.device_put(jnp.arange(16), jax.NamedSharding(mesh, jax.P("d"))),
        "copied": jax.device_put(jnp.arange(16), jax.NamedSharding(mesh, jax.P())),
        "numpy": np.arange(5),
    }
    expected = {name: np.array(x) for name, x in state.items()}
    given_numpy = state["numpy"]
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(0, state)
        one = state["one"]
        for _ in range(2):
            state = jax.tree.map(overwrite, state)
        assert isinstance(one, jax.Array) and one.is_deleted()
        given_numpy -= 1
        jax.block_until_ready(state)
        go.set()
        checkpoints.wait()
        chex.assert_trees_all_equal(checkpoints.restore().tree, expected)


def test_saving_returns_before_the_file_is_written(tmp_path, monkeypatch):
    go, written = threading.Event(), module.write
    monkeypatch.setattr(module, "write", lambda *args: go.wait(5) and written(*args))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(0, {"x": np.zeros(2)})
    assert not checkpoints.steps()
    go.set()
    checkpoints.close()
    assert checkpoints.steps() == [0]


def test_without_a_thread_saving_returns_when_all_is_written(tmp_path):
    before = threading.active_count()
    checkpoints = Checkpoints(tmp_path / "new" / "folder", asynchronous=False)
    checkpoints.save(5, {"x": np.zeros(2)})
    assert threading.active_count() == before
    assert on_disk(tmp_path / "new" / "folder" / "00000005") == [
        "manifest.json",
        "tensors.safetensors",
    ]


@pytest.mark.parametrize("call", ["wait", "close", "save", "restore", "best", "exit"])
def test_an_error_in_the_thread_is_raised_by_the_next_call(tmp_path, call):
    (tmp_path / "file").touch()
    checkpoints = Checkpoints(tmp_path / "file" / "run", best="loss")
    checkpoints.save(0, {"x": np.zeros(2)}, metrics={"loss": 1})
    calls = {
        "save": lambda: checkpoints.save(1, {"x": np.zeros(2)}, metrics={"loss": 1}),
        "exit": lambda: checkpoints.__exit__(None, None, None),
    }
    with pytest.raises(NotADirectoryError) as caught:
        calls.get(call, lambda: getattr(checkpoints, call)())()
    assert (
        "may not be on the disk; the checkpoints beside it are intact" in caught.value.__notes__[-1]
    )
    checkpoints.wait()


def test_a_program_that_ends_finishes_its_write_and_shows_its_error(tmp_path):
    code = """
import numpy as np, sys
from jaxnet.train.checkpoint import Checkpoints
Checkpoints(sys.argv[1]).save(1, {"x": np.arange(3)})
Checkpoints("/dev/null/run").save(1, {"x": np.arange(3)})
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert Checkpoints(tmp_path).restore().tree["x"].tolist() == [0, 1, 2]
    assert "NotADirectoryError" in run.stderr


def test_without_a_tree_nested_dicts_return_with_every_bit(tmp_path):
    values = {
        "a": {"0": np.float64(0.1), "nan": np.array(0x7FC00001, np.uint32).view(np.float32)},
        "list": [np.zeros((0, 3), np.int8), jnp.ones(2, jnp.bfloat16)],
        "keys": jax.random.split(jax.random.key(1), 3),
        "rbg": jax.random.key(2, impl="rbg"),
    }
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(0, values)
    restored = checkpoints.restore()
    assert digest(restored.tree) == digest(values)
    assert list(tree.flatten(restored.tree)) == list(tree.flatten(values))
    assert restored.tree["rbg"].dtype == values["rbg"].dtype
    chex.assert_trees_all_equal(restored.tree["keys"], values["keys"])
    part = checkpoints.restore(only="tuple/1", rename={"list/**": "tuple/**"})
    assert list(part.tree) == ["tuple"] and part.report.loaded == ("tuple/1",)


numbers = st.floats() | st.integers() | st.booleans() | st.none() | st.text()
json_values = st.recursive(
    numbers, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(), x, max_size=3)
)


@given(st.dictionaries(st.text(), json_values, max_size=3))
def test_json_gives_back_what_info_may_hold(info):
    check_info(info)
    assert repr(json.loads(json.dumps(info))) == repr(info)


def test_info_and_metrics_return_exactly_and_as_they_were(tmp_path):
    info = {"history": {"loss": [0.1, math.nan, math.inf, -math.inf, -0.0, 5e-324]}, "b": (1, 2)}
    metrics = {"loss": 1 / 3, "worst": math.inf}
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(0, {}, info=info, metrics=metrics)
        info["history"]["loss"].append(7.0)
        restored = checkpoints.restore()
    losses = restored.info["history"]["loss"]
    assert np.array(losses).tobytes() == np.array(info["history"]["loss"][:-1]).tobytes()
    assert restored.info["b"] == [1, 2] and restored.metrics == metrics


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"info": {"a": {"b": [0, np.zeros(2)]}}}, r"info\['a'\]\['b'\]\[1\] is float64\[2\]"),
        ({"info": {"a": np.float32(1)}}, r"convert it, as with float\(x\)"),
        ({"info": {"a": {1: 2}}}, r"keys of info\['a'\] must be strings, but one is 1"),
        ({"metrics": {"loss": "low"}}, r"metrics\['loss'\] must be a number, but is 'low'"),
        ({"metrics": {"val_loss": 1}}, "'loss', which is not in metrics; did you mean 'val_loss'"),
        ({"step": -1}, "step must be an int of at least 0, but is -1"),
        ({"step": 1.0}, "step must be an int"),
        ({"tree": {"w": 1.0}}, "w is 1.0, but a checkpoint's tree has arrays only; put anything"),
        ({"tree": {"w": jax.ShapeDtypeStruct((), int)}}, "w is int64.* has arrays only"),
        ({"tree": {"a/b": np.ones(1), "a": {"b": np.ones(1)}}}, "two leaves .* have the same path"),
    ],
)
def test_what_cannot_be_saved_is_explained(tmp_path, arguments, message):
    checkpoints = Checkpoints(tmp_path, best="loss")
    with pytest.raises(ValueError, match=message):
        checkpoints.save(**{"step": 0, "tree": {}, "metrics": {"loss": 0}} | arguments)
    assert not on_disk(tmp_path)


def test_a_state_that_was_consumed_is_explained(tmp_path):
    state = new_state()
    train_step(loss_fn, tx)(state, jnp.ones(3))
    with pytest.raises(ValueError, match=r"was consumed by a compiled step; save the state that"):
        Checkpoints(tmp_path).save(0, state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 0}, "keep must be an int of at least 1"),
        ({"keep_best": -1}, "keep_best must be an int of at least 0"),
        ({"mode": "lowest"}, "Checkpoints has no mode='lowest'"),
    ],
)
def test_options_are_checked(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        Checkpoints(tmp_path, **options)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file is a file"):
        Checkpoints(tmp_path / "file")


def test_what_does_not_fit_is_never_a_reason_to_fall_back(tmp_path):
    checkpoints = Checkpoints(tmp_path, asynchronous=False)
    checkpoints.save(1, {"w": np.zeros(2), "b": np.zeros(3)})
    checkpoints.save(2, {"w": np.zeros(3), "c": np.zeros(3)})
    with pytest.raises(ValueError, match="00000002 cannot be restored: what is given") as caught:
        checkpoints.restore({"w": jnp.zeros(2), "b": jnp.zeros(3)})
    assert sorted(line.split()[0] for line in str(caught.value).splitlines()[1:]) == [
        "mismatching",
        "missing",
        "unexpected",
    ]


def test_part_of_a_checkpoint_fills_another_model_in_its_dtype(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"state": new_state()})
    like = {"body": {"w": jnp.ones(3, jnp.bfloat16)}, "head": {"w": jnp.ones(2)}}
    restored = checkpoints.restore(like, only="body/**", rename={"state/params/0/**": "body/**"})
    assert restored.tree["body"]["w"].dtype == jnp.bfloat16 and not restored.tree["body"]["w"].any()
    assert restored.report.cast == {"body/w": "float32 to bfloat16"}
    assert restored.report.kept == ("head/w",) and (restored.tree["head"]["w"] == 1).all()
