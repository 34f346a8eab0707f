from typing import Any

import chex
import jax
import jax.numpy as jnp
import pytest

import jaxnet as jn
from jaxnet import nn
from jaxnet.core.blueprint import Record

x = jnp.ones((2, 3))
zeros = jax.nn.initializers.zeros


def scaled(params, x):
    return jnp.broadcast_to(jn.param(params, "scale", (x.shape[-1],), zeros), x.shape) * x


def test_a_call_on_a_dict_returns_its_leaf():
    leaf = jnp.arange(3.0)
    assert jn.param({"scale": leaf}, "scale", (3,), zeros) is leaf


def test_specs_have_the_shapes_that_init_draws():
    net = nn.Sequential(nn.Linear(4), nn.BatchNorm(), nn.Repeat(nn.Linear(4), 3))
    specs = jn.specs(net, jax.ShapeDtypeStruct((2, 3), jnp.float32))
    params = net.init(jax.random.key(0), x)
    chex.assert_trees_all_equal_shapes_and_dtypes(specs, params)


@pytest.mark.parametrize(
    "through",
    [
        jax.jit(scaled),
        jax.checkpoint(scaled),
        lambda params, x: jax.vmap(scaled, in_axes=(None, 0))(params, x[:, None])[:, 0],
        lambda params, x: jax.lax.scan(lambda c, _: (scaled(params, c), None), x, None, 2)[0],
        lambda params, x: jax.grad(lambda x: scaled(params, x).sum())(x),
    ],
    ids=["jit", "checkpoint", "vmap", "scan", "grad"],
)
def test_a_blueprint_passes_through(through):
    assert jn.specs(through, x) == {"scale": jax.ShapeDtypeStruct((3,), jnp.float32)}


def test_stacked_leaves_have_a_leading_axis_in_scan_and_vmap():
    def scan(params, x):
        body = lambda x, params: (scaled(params, x), None)
        return jax.lax.scan(body, x, jn.stacked(params["blocks"], 5), length=5)[0]

    def vmap(params, x):
        experts = jn.stacked(params["experts"], 4)
        return jax.vmap(scaled, in_axes=(0, None), axis_size=4)(experts, x)

    assert jn.specs(scan, x)["blocks"]["scale"].shape == (5, 3)
    assert jn.specs(vmap, x)["experts"]["scale"].shape == (4, 3)
    nested = lambda params, x: scan(jn.stacked(params, 2), x)
    assert jn.specs(nested, x)["blocks"]["scale"].shape == (2, 5, 3)


def test_one_name_twice_is_one_leaf():
    @nn.layer
    def tied(params, x, *, key=None):
        layer = nn.Linear(3)
        return layer(params["shared"], layer(params["shared"], x))

    params = tied.init(jax.random.key(0), x)
    assert sorted(jn.tree.flatten(params)) == ["shared/bias", "shared/kernel"]


def test_one_name_with_two_shapes_is_an_error():
    def twice(params, x):
        return jn.param(params, "w", (3,), zeros), jn.param(params, "w", (4,), zeros)

    with pytest.raises(ValueError, match=r"w is used twice, as float32\[3\] and as float32\[4\]"):
        jn.specs(twice, x)


def test_a_leaf_cannot_hold_leaves():
    def both(params, x):
        return jn.param(params, "w", (), zeros) + jn.param(params["w"], "b", (), zeros)

    with pytest.raises(ValueError, match=r"'w.*' (lies inside another leaf|is both a leaf)"):
        jn.specs(both, x)


def test_leaves_have_the_default_float_or_the_dtype_asked_for():
    half = lambda params, x: jn.param(params, "w", (2,), zeros, jnp.bfloat16)
    assert jn.specs(half, x)["w"].dtype == jnp.bfloat16
    with jax.enable_x64(True):
        assert jn.specs(scaled, x)["scale"].dtype == jnp.float64


@pytest.mark.parametrize("name", ["", "a/b", "a*", 3])
def test_names_that_would_break_paths_are_refused(name):
    with pytest.raises(ValueError, match=r"cannot name parameters"):
        jn.Blueprint(Record())[name]


@pytest.mark.parametrize("use", [lambda p: "w" in p, lambda p: list(p), lambda p: jnp.sin(p["w"])])
def test_a_blueprint_says_how_leaves_are_asked_for(use):
    with pytest.raises(ValueError, match=r"still a blueprint.*jn\.param and jn\.child"):
        jn.specs(lambda params, x: use(params), x)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"skale": x}, "no leaf 'scale'; did you mean 'skale'"),
        ({"scale": 1.0}, "'scale' must be an array, but is 1.0"),
        ({"scale": jnp.ones(4)}, r"'scale' is float32\[4\], but \(3,\) is needed"),
        (x, r"parameters must be a dict, but float32\[2,3\] was given"),
    ],
)
def test_leaves_that_do_not_fit(params, message):
    with pytest.raises(ValueError, match=message):
        scaled(params, x)


def test_stacked_checks_every_leaf():
    params = {"a": jnp.ones((3, 2)), "b": jnp.ones((2, 2)), "c": jnp.ones(())}
    with pytest.raises(
        ValueError, match=r"leading axis of 3.*b is float32\[2,2\], c is float32\[\]"
    ):
        jn.stacked(params, 3)


def test_split_needs_a_typed_key():
    assert jn.split(None, 2) == (None, None)
    assert jn.split(jax.random.key(0), 3).shape == (3,)
    wrongs: list[Any] = [0, jax.random.PRNGKey(0)]
    for wrong in wrongs:
        with pytest.raises(ValueError, match=r"make one with jax\.random\.key\(0\)"):
            jn.split(wrong, 2)
    with pytest.raises(ValueError, match=r"one random key.*array of \(2,\) keys"):
        jn.split(jax.random.split(jax.random.key(0)), 2)


def test_flags_and_trees_among_the_inputs_are_passed_on():
    def layer(params, batch, *, double, key=None):
        assert double is True
        return jn.param(params, "w", batch["x"].shape[-1:], zeros)

    assert jn.specs(layer, {"x": x}, double=True)["w"].shape == (3,)
