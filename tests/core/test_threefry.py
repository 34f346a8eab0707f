"""Random numbers from one kernel are those of JAX, bit for bit."""

import sys
from typing import Any

import chex
import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet.core import threefry
from jaxnet.core.threefry import written_out

keys = st.integers(0, 2**32 - 1).map(jax.random.key)
shapes = st.lists(st.integers(0, 7), max_size=4).map(tuple)


def same(draw, key):
    """What is drawn with both keys, each in a program of its own."""
    ours, theirs = (jax.jit(lambda key: draw(key))(key) for key in (written_out(key), key))
    assert written_out(key).dtype != key.dtype
    chex.assert_trees_all_equal(ours, theirs, strict=True)


@settings(max_examples=30, deadline=None)
@given(keys, shapes, st.sampled_from(["uint8", "uint16", "uint32"]))
def test_bits(key, shape, dtype):
    same(lambda key: jax.random.bits(key, shape, dtype), key)


def test_bits_of_double_width():
    with jax.enable_x64(True):
        same(lambda key: jax.random.bits(key, (3, 5), "uint64"), jax.random.key(1))


@pytest.mark.parametrize(
    "draw",
    [
        lambda key: jax.random.uniform(key, (3, 4)),
        lambda key: jax.random.normal(key, (4,)),
        lambda key: jax.random.bernoulli(key, 0.3, (2, 3)),
        lambda key: jax.random.permutation(key, 10),
        lambda key: jax.random.gamma(key, 2.0, (3,)),
        lambda key: jax.vmap(jax.random.normal)(jax.random.split(key, 5)),
        lambda key: jax.lax.scan(
            lambda k, _: (jax.random.split(k)[0], jax.random.bits(k)), key, length=3
        )[1],
    ],
    ids=["uniform", "normal", "bernoulli", "permutation", "gamma", "vmap", "scan"],
)
def test_draws(draw):
    same(draw, jax.random.key(4))


@settings(max_examples=30, deadline=None)
@given(keys, st.integers(0, 2**32 - 1), st.integers(0, 9))
def test_keys_that_follow_are_of_the_kind_that_was_given(key, data, n):
    with jax.numpy_dtype_promotion("strict"):
        for ours, theirs in (
            (threefry.fold_in(key, jnp.uint32(data)), jax.random.fold_in(key, jnp.uint32(data))),
            (threefry.split(key, n), jax.random.split(key, n)),
        ):
            chex.assert_trees_all_equal(ours, theirs, strict=True)
    again = threefry.split(threefry.fold_in(written_out(key), 3), 2)
    assert again.dtype == written_out(key).dtype


def test_a_place_is_counted_in_the_order_of_memory():
    assert threefry._places((2, 3, 4)).tolist() == jnp.arange(24).reshape(2, 3, 4).tolist()
    assert threefry._places(()) == 0
    for shape in ((1, 2**16, 2**16), (0, 2**33)):  # whose first axis strides over all words
        assert jax.eval_shape(lambda shape=shape: threefry._places(shape)).shape == shape


def test_more_entries_than_a_word_can_count_are_drawn_by_jax(monkeypatch):
    monkeypatch.setattr(threefry, "_COUNTABLE", 5)
    key = jax.random.key(0)

    def program(shape):
        return str(
            jax.make_jaxpr(lambda data: threefry._bits(data, 32, shape))(jnp.zeros(2, "uint32"))
        )

    assert "random_bits" in program((2, 3)) and "random_bits" not in program((5,))
    same(lambda key: jax.random.bits(key, (2, 3)), key)


@pytest.mark.parametrize("impl", ["rbg", "unsafe_rbg"])
def test_other_generators_stay(impl):
    key = jax.random.key(0, impl=impl)
    assert written_out(key) is key
    chex.assert_trees_all_equal(threefry.split(key, 2), jax.random.split(key, 2))


def test_other_forms_and_devices_stay(monkeypatch):
    key = jax.random.key(0)
    with jax.threefry_partitionable(False):
        assert written_out(key) is key
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert written_out(key) is key


def test_a_jax_without_a_place_for_generators_draws_itself(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax.extend.random", None)
    monkeypatch.setattr(threefry, "_generator", threefry._generator.__wrapped__)
    key = jax.random.key(0)
    assert written_out(key) is key


def test_a_mask_is_drawn_once_for_all_that_it_is_broadcast_to():
    def dropped(key, x):
        return x * jax.random.bernoulli(written_out(key), 0.5, (4, 1))

    program: Any = jax.jit(dropped).lower(jax.random.key(0), jnp.ones((4, 1000)))
    kernels = [part for part in program.compile().as_text().split("\n\n") if " xor(" in part]
    assert kernels and not any("f32[4,1000]" in kernel for kernel in kernels)
