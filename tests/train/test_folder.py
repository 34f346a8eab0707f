"""What ``fit`` does with the folder of a run."""

import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet as jn
from jaxnet.train import Stop, TrainState, fit, trained

x = np.linspace(-1, 1, 40).astype(np.float32)
tx = optax.adam(0.1)


def loss_fn(params, batch, key):
    noise = 0.0 if key is None else 0.01 * jax.random.normal(key, batch.shape)
    return jnp.square(params["w"] * batch - 3 * batch + noise).mean()


def create(seed=0):
    return TrainState.create({"w": jnp.zeros(())}, tx, jax.random.key(seed), ema=True)


def run(folder, state=None, **options):
    options = {"epochs": 4, "batch_size": 8, "ema": 0.5, "validation_data": x, **options}
    state = create() if state is None else state
    return fit(loss_fn, tx, state, x, folder=folder, progress=False, **options)


@pytest.mark.parametrize("step", [1, 3, 5, 7, 19])
def test_a_run_that_was_stopped_anywhere_goes_on_to_the_same_bits(tmp_path, step):
    stop = lambda event: Stop("for now") if event.step >= step else None
    options = {"best": "val_loss", "steps_per_dispatch": 1}
    halted, _ = run(tmp_path / "halted", callbacks=[stop], **options)
    assert int(halted.step) == step
    state, history = run(tmp_path / "halted", **options)
    whole, same = run(tmp_path / "whole", **options)
    assert jn.train.digest(state) == jn.train.digest(whole) and history == same


def test_a_run_can_be_made_longer(tmp_path):
    run(tmp_path)
    state, history = run(tmp_path, epochs=6)
    whole, same = run(tmp_path / "whole", epochs=6)
    chex.assert_trees_all_equal(state.params, whole.params)
    assert history == same and int(state.step) == 30


def test_the_parameters_of_a_folder(tmp_path):
    state, _ = run(tmp_path / "last")
    chex.assert_trees_all_equal(trained(tmp_path / "last"), state.averaged)
    best, _ = run(tmp_path / "best", best="val_loss", mode="max")
    chex.assert_trees_all_equal(trained(tmp_path / "best"), best.averaged)


def test_the_folder_says_what_the_run_was_made_of(tmp_path):
    run(tmp_path, config={"lr": 0.1})
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["config"]["config"] == {"lr": 0.1}
    assert record["config"]["fit"]["batch_size"] == 8
    assert record["sessions"][0]["step"] == 0
    with pytest.raises(ValueError, match="fit/batch_size: was 8, is 4"):
        run(tmp_path, config={"lr": 0.1}, batch_size=4)
    with pytest.raises(ValueError, match="fit/seed: was"):
        run(tmp_path, create(seed=1), config={"lr": 0.1})


def test_a_state_of_another_step_is_not_taken_over_silently(tmp_path):
    state, _ = run(tmp_path / "first")
    with pytest.raises(ValueError, match="began at step 0, but the state given is at step 20"):
        run(tmp_path / "first", state)


def test_a_damaged_checkpoint_is_passed_over_and_said_so(tmp_path):
    run(tmp_path, save_seconds=0, steps_per_dispatch=1)
    newest, *_ = sorted((tmp_path / "checkpoints").iterdir(), reverse=True)
    (newest / "tensors.safetensors").write_bytes(b"gone")
    whole, _ = run(tmp_path / "whole")
    with pytest.warns(UserWarning, match=newest.name):
        state, _ = run(tmp_path)
    assert jn.train.digest(state) == jn.train.digest(whole)


def test_a_run_whose_checkpoints_are_all_damaged_is_not_begun_again(tmp_path):
    run(tmp_path)
    for manifest in (tmp_path / "checkpoints").glob("*/manifest.json"):
        manifest.write_text("{}")
    with pytest.raises(ValueError, match="manifest"):
        run(tmp_path)
