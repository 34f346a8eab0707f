from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

import jaxnet as jn
from jaxnet import nn
from jaxnet.core.blueprint import Record, trace
from jaxnet.core.init import _by_path, _drawer

key = jax.random.key(7)
x = jnp.ones((2, 8))


def test_a_leaf_depends_on_its_path_alone():
    @nn.layer
    def small(params, x, *, key=None):
        return nn.Linear(8)(params["b"], x)

    @nn.layer
    def large(params, x, *, key=None):
        for name in "abc":
            x = nn.Linear(8)(params[name], x)
        return x

    before, after = small.init(key, x), large.init(key, x)
    chex.assert_trees_all_equal(before["b"], after["b"])
    assert not jnp.allclose(after["a"]["kernel"], after["c"]["kernel"])


def test_a_slice_of_stacked_leaves_does_not_depend_on_their_number():
    few, many = (nn.Repeat(nn.Linear(8), n).init(key, x) for n in (2, 5))
    chex.assert_trees_all_equal(few, jax.tree.map(lambda leaf: leaf[:2], many))
    assert not jnp.allclose(many["kernel"][0], many["kernel"][1])


@pytest.fixture
def _optimized():
    """As users run it: of what init draws only the least is switched off."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.mark.usefixtures("_optimized")
def test_init_is_a_function_of_the_key_under_jit_and_vmap():
    net = nn.Sequential(nn.Linear(8), nn.BatchNorm(), nn.Linear(8))
    params = net.init(key, x)
    chex.assert_trees_all_equal(params, net.init(key, x), jax.jit(net.init)(key, x))
    ensemble = jax.vmap(lambda key: net.init(key, x))(jnp.stack([key, jax.random.key(1)]))
    chex.assert_trees_all_close(params, jax.tree.map(lambda leaf: leaf[0], ensemble))
    assert not jnp.allclose(ensemble["0"]["kernel"][0], ensemble["0"]["kernel"][1])


def test_leaves_are_drawn_alike_however_many_share_the_draw():
    # 1,050 x 1,000 entries exceed what is drawn together, 3 x 5 do not.
    normal = jax.nn.initializers.normal(1.0)
    for shape in ((1050, 1000), (3, 5)):

        def alone(params, x):
            return jn.param(params, "b", shape, normal)

        def together(params, x):
            return [jn.param(params, name, shape, normal) for name in "abc"]

        expected = jn.init(alone, key, x)["b"]
        chex.assert_trees_all_equal(jn.init(together, key, x)["b"], expected)
        assert abs(float(expected.std()) - 1) < 0.5


def test_no_two_leaves_share_memory():
    params = nn.Repeat(nn.Sequential(nn.Linear(8), nn.BatchNorm(), nn.BatchNorm()), 2).init(key, x)
    pointers = [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(params)]
    assert len(set(pointers)) == len(pointers)


def test_a_layer_without_parameters_has_an_empty_dict():
    assert nn.Dropout(0.5).init(key, x) == {}


def test_options_of_the_call_reach_it():
    @nn.layer
    def with_head(params, x, *, head=False, key=None):
        h = nn.Linear(4)(params["body"], x)
        return nn.Linear(1)(params["head"], h) if head else h

    assert set(with_head.init(key, x)) == {"body"}
    assert set(with_head.init(key, x, head=True)) == {"body", "head"}


@pytest.mark.parametrize(
    ("init", "message"),
    [
        (lambda key, shape, dtype: jnp.zeros((1,)), r"of w made float32\[1\], but float32\[3\]"),
        (lambda key, shape, dtype: jnp.zeros(shape, jnp.int32), r"made int32\[3\]"),
    ],
)
def test_an_initializer_must_make_what_was_asked(init, message):
    with pytest.raises(ValueError, match=message):
        jn.init(lambda params, x: jn.param(params, "w", (3,), init), key, x)


def test_init_needs_a_key_first():
    with pytest.raises(ValueError, match=r"a random key was needed, but float32\[2,8\] was given"):
        nn.Linear(2).init(x, key)


@pytest.mark.parametrize(("fan_in", "features"), [(400, 100), (8, 8)])
def test_presets_have_their_documented_spread(fan_in, features):
    x = jnp.ones((1, fan_in))
    spread = {
        "torch": 1 / np.sqrt(fan_in) / np.sqrt(3),
        "keras": np.sqrt(6 / (fan_in + features)) / np.sqrt(3),
        "flax": 1 / np.sqrt(fan_in),
    }
    for preset, expected in spread.items():
        params = nn.Linear(features, initializer=preset).init(key, x)
        assert abs(float(params["kernel"].std()) / expected - 1) < (0.02 if fan_in > 99 else 0.35)
        assert bool((params["bias"] == 0).all()) == (preset != "torch")
        if preset == "torch":
            assert float(abs(params["kernel"]).max()) <= 1 / np.sqrt(fan_in)
    with pytest.raises(ValueError, match="no preset is called init='tork'; did you mean 'torch'"):
        nn.Linear(2, initializer="tork").init(key, x)


@pytest.mark.parametrize(
    "blocks", [nn.Repeat(nn.Linear(1024), 6), nn.Sequential(*[nn.Linear(1024)] * 6)]
)
def test_sharded_parameters_never_exist_whole(blocks):
    x = jnp.ones((1, 1024))
    mesh = jax.make_mesh((4,), ("model",), axis_types=(jax.sharding.AxisType.Auto,))
    shardings = jax.tree.map(
        lambda s: NamedSharding(mesh, P(*[None] * (len(s.shape) - 1), "model")), jn.specs(blocks, x)
    )
    params = blocks.init(key, x, out_shardings=shardings)
    chex.assert_trees_all_equal(jax.device_get(params), jax.device_get(blocks.init(key, x)))
    for leaf in jax.tree.leaves(params):
        assert {s.data.size for s in leaf.addressable_shards} == {leaf.size // 4}

    record = Record()
    trace(blocks, x, record=record)
    plan = tuple(record.leaves.items())
    program: Any = _drawer(plan, _by_path(plan, shardings))
    memory = program.lower(key).compile().memory_analysis()
    whole = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    assert memory.output_size_in_bytes < 1.1 * whole / 4
    assert memory.temp_size_in_bytes < 0.6 * whole
    with pytest.raises(ValueError, match="out_shardings has no entry for"):
        blocks.init(key, x, out_shardings={})
