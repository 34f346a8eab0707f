"""Step and key of a state are those to whoever reads them, and one leaf to who maps over leaves."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnet.core import tree
from jaxnet.train import Checkpoints, TrainState, train_step

tx = optax.sgd(0.1)


def create(key):
    return TrainState.create({"w": jnp.ones(2)}, tx, key)


def loss_fn(params, batch, key):
    return (params["w"] * jax.random.normal(key, (2,))).sum()


def same_keys(a, b):
    chex.assert_trees_all_equal(jax.random.key_data(a), jax.random.key_data(b))
    return jax.random.key_impl(a) == jax.random.key_impl(b)


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_a_step_keeps_the_key_and_its_generator(impl):
    key = jax.random.key(3, impl=impl)
    state = create(key)
    assert same_keys(state.key, key)
    clock = tree.flatten(state)["clock"]
    assert clock is state.clock and clock.dtype == jnp.uint32
    assert clock.tolist() == [0, *jax.random.key_data(key).tolist()]
    draw = jax.random.normal(jax.random.fold_in(key, 0), (2,))
    state, _ = train_step(loss_fn, tx)(state, jnp.zeros(()))
    assert same_keys(state.key, key) and int(state.step) == 1
    chex.assert_trees_all_close(state.params["w"], 1 - 0.1 * draw, rtol=1e-6)


def test_replace_gives_another_key():
    state = dataclasses.replace(create(jax.random.key(0)), key=jax.random.key(1, impl="rbg"))
    assert same_keys(state.key, jax.random.key(1, impl="rbg"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        state.key = jax.random.key(0)  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError, match="key"):
        TrainState(state.step, state.params, state.opt_state)  # pyright: ignore[reportCallIssue]


def test_states_of_shapes_have_keys_of_shapes():
    state = jax.eval_shape(create, jax.random.key(0))
    assert jnp.issubdtype(state.key.dtype, jax.dtypes.prng_key) and state.key.shape == ()
    chex.assert_trees_all_equal(state, dataclasses.replace(state, key=state.key))
    assert "key<fry>" in repr(state)


def test_many_states_have_a_key_each():
    keys = jax.random.split(jax.random.key(0), 3)
    states = jax.vmap(create)(keys)
    assert same_keys(states.key, keys)
    axes = TrainState(0, {"w": 0}, states.opt_state, 0)  # pyright: ignore[reportArgumentType]
    assert axes.key == 0
    step = jax.vmap(train_step(loss_fn, tx), in_axes=(axes, None))
    assert same_keys(step(states, jnp.zeros(()))[0].key, keys)


def test_where_both_are_read_from_one_array_both_are_of_its_shape():
    clock = jnp.arange(12, dtype=jnp.uint32).reshape(2, 2, 3)
    state = jax.tree.unflatten(jax.tree.structure(TrainState(0, {}, (), 0)), [clock])  # pyright: ignore[reportArgumentType]
    assert state.step.tolist() == [[0, 3], [6, 9]] and state.step.dtype == jnp.int32
    assert jax.random.key_data(state.key).tolist() == clock[..., 1:].tolist()
    chex.assert_trees_all_equal(TrainState(state.step, {}, (), state.key), state)


@pytest.mark.parametrize("words", [False, True], ids=["typed", "words"])
def test_a_checkpoint_that_has_step_and_key_apart_is_restored(tmp_path, words):
    state, _ = train_step(loss_fn, tx)(create(jax.random.key(5)), jnp.zeros(()))
    older = {name: getattr(state, name) for name in ("step", "params", "opt_state", "key", "extra")}
    older["key"] = jax.random.key_data(state.key) if words else state.key
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, {"state": older, "clock": jnp.zeros(2)})
        like = {"state": create(jax.random.key(0)), "clock": jnp.ones(2)}
        again = checkpoints.restore(like).tree
        chex.assert_trees_all_equal(again, {"state": state, "clock": jnp.zeros(2)})
        like["state"] = create(jax.random.key(0, impl="rbg"))
        fault = r"mismatching  state/clock: given uint32\[3\], needs uint32\[5\]"
        with pytest.raises(ValueError, match=fault):
            checkpoints.restore(like)


@pytest.mark.parametrize(
    ("step", "key", "message"),
    [
        (0, None, "must be the same, but step is 0 and key is None"),
        (jnp.zeros(()), jax.random.key(0), r"integer step for each key.* float32\[\]"),
        (jnp.zeros(2, int), jax.random.key(0), r"step int32\[2\] with uint32\[2\]"),
    ],
)
def test_mistakes_are_explained(step, key, message):
    with pytest.raises(ValueError, match=message):
        TrainState(step, {}, (), key)


def test_a_copy_on_the_host_has_its_key():
    state = jax.tree.map(np.asarray, create(jax.random.key(7)))
    assert same_keys(state.key, jax.random.key(7))
