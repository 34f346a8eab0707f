"""The key of a state is a typed key to whoever reads it, and words to whoever maps over leaves."""

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
    words = tree.flatten(state)["key"]
    assert words.dtype == jnp.uint32 and (words == jax.random.key_data(key)).all()
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
        TrainState(state.step, state.params, state.opt_state)


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


def test_a_checkpoint_with_a_typed_key_is_restored(tmp_path):
    state = create(jax.random.key(5))
    older = {name: getattr(state, name) for name in ("step", "params", "opt_state", "key", "extra")}
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, older)
        again = checkpoints.restore(create(jax.random.key(0))).tree
        chex.assert_trees_all_equal(again, state)
        other = create(jax.random.key(0, impl="rbg"))
        with pytest.raises(ValueError, match=r"mismatching  key: given uint32\[2\], needs .*\[4\]"):
            checkpoints.restore(other)


def test_a_copy_on_the_host_has_its_key():
    state = jax.tree.map(np.asarray, create(jax.random.key(7)))
    assert same_keys(state.key, jax.random.key(7))
