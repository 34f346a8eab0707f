import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxnet as jn
from jaxnet.core import tree
from jaxnet.train.restore import fill, renamed

like = {
    "body": {"0": {"kernel": jnp.zeros((3, 4)), "bias": jnp.zeros(4)}},
    "head": {"kernel": jnp.zeros((4, 2))},
}
rng = np.random.default_rng(0)
arrays = {
    path: rng.normal(size=x.shape).astype(np.float32) for path, x in tree.flatten(like).items()
}


def test_flat_and_nested_arrays_fill_a_tree():
    for given_arrays in (arrays, tree.unflatten(arrays)):
        filled, report = fill(like, given_arrays)
        chex.assert_trees_all_equal(filled, tree.unflatten(arrays))
        assert jax.tree.all(jax.tree.map(lambda x: isinstance(x, jax.Array), filled))
        assert set(report.loaded) == set(arrays) and not report.misfits


def test_all_misfits_are_listed_at_once():
    wrong = {
        "body/0/kernel": np.zeros((4, 3), np.float32),
        "body/0/bias": np.zeros(4, np.int32),
        "tail": np.zeros(2),
    }
    with pytest.raises(ValueError, match="what is given does not fit") as caught:
        fill(like, wrong)
    assert sorted(str(caught.value).splitlines()[1:]) == [
        "  mismatching  body/0/bias: given int32[4], needs float32[4]",
        "  mismatching  body/0/kernel: given float32[4,3], needs float32[3,4]",
        "  missing      head/kernel: needs float32[4,2]",
        "  unexpected   tail: given float64[2]",
    ]
    filled, report = fill(like, wrong, strict=False)
    chex.assert_trees_all_equal(filled, like)
    assert not report.loaded and set(report.mismatching) == {"body/0/kernel", "body/0/bias"}
    assert set(report.missing) == {"head/kernel"} and set(report.unexpected) == {"tail"}


def test_only_what_was_asked_for_is_taken():
    filled, report = fill(like, arrays, only=("body/**",))
    chex.assert_trees_all_equal(filled["head"], like["head"])
    chex.assert_trees_all_equal(filled["body"], tree.unflatten(arrays)["body"])
    assert report.kept == ("head/kernel",)
    # What lies outside of it may be missing, unexpected or of another shape.
    rest = {path: x for path, x in arrays.items() if path.startswith("body")}
    fill(like, rest | {"head/kernel": np.zeros(5), "more": np.zeros(1)}, only="body/**")
    with pytest.raises(ValueError, match="unexpected   body/1: given"):
        fill(like, rest | {"body/1": np.zeros(5)}, only="body/**")
    with pytest.raises(ValueError, match=r"'boddy/\*\*' matches no path"):
        fill(like, arrays, only="boddy/**")


def test_paths_are_renamed_by_pattern_or_function():
    old = {"net/layers/0/w": 1, "net/layers/1/w": 2, "net/b": 3, "c": 4}
    rules = {"net/layers/*/w": "blocks/*/kernel", "net/**": "**"}
    expected = {"blocks/0/kernel": 1, "blocks/1/kernel": 2, "b": 3, "c": 4}
    assert renamed(old, rules) == expected
    assert renamed(old, {"**/w": "deep/**/kernel", "net/b": "b"}) == {
        "deep/net/layers/0/kernel": 1,
        "deep/net/layers/1/kernel": 2,
        "b": 3,
        "c": 4,
    }
    assert renamed(old, str.upper)["NET/B"] == 3
    filled, _ = fill({"b": np.zeros(2)}, {"bias": np.ones(2)}, rename={"bias": "b"})
    assert filled["b"].tolist() == [1, 1]


steps = st.sampled_from(["a", "b", "c1", "*", "**"])


@given(st.lists(steps, min_size=1, max_size=4), st.lists(st.sampled_from("abc"), min_size=1))
def test_renaming_a_pattern_to_itself_changes_nothing(pattern, path):
    pattern, path = "/".join(pattern), "/".join(path)
    if tree.matches(pattern, path):
        assert renamed({path: 0}, {pattern: pattern}) == {path: 0}
        assert renamed({path: 0}, {pattern: f"new/{pattern}"}) == {f"new/{path}": 0}


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ({"body/*/bias": "bias"}, r"needs the same \* and \*\* on both sides"),
        ({"boddy/**": "b/**"}, "'boddy/.*' matches no path"),
        ({"body/0/*": "head/*"}, "turns both 'body/0/kernel' and 'head/kernel' into 'head/kernel'"),
    ],
)
def test_mistakes_in_renaming_are_explained(rename, message):
    with pytest.raises(ValueError, match=message):
        fill(like, arrays, rename=rename)


def test_floating_point_takes_the_dtype_of_its_place():
    values = {
        "a": np.array([1, 1 / 3, np.inf], np.float32),
        "b": np.float64(0.1),
        "c": np.complex128(1j),
    }
    spec = {"a": jnp.zeros(3, jnp.bfloat16), "b": jnp.zeros(()), "c": jnp.zeros((), jnp.complex64)}
    filled, report = fill(spec, values)
    chex.assert_trees_all_equal_shapes_and_dtypes(filled, spec)
    chex.assert_trees_all_equal(filled["a"], jnp.asarray(values["a"]).astype(jnp.bfloat16))
    assert report.cast == {
        "a": "float32 to bfloat16",
        "b": "float64 to float32",
        "c": "complex128 to complex64",
    }
    assert "cast         a: float32 to bfloat16" in str(report) and "3 loaded" in str(report)


@pytest.mark.parametrize(
    ("given_array", "spec"),
    [
        (np.zeros(2, np.int32), np.zeros(2, np.float32)),
        (np.zeros(2, np.float32), np.zeros(2, np.int32)),
        (np.zeros(2, np.int64), np.zeros(2, np.int32)),
        (np.zeros(2, bool), np.zeros(2, np.int32)),
        (np.zeros(2, np.complex64), np.zeros(2, np.float32)),
        (np.zeros(2, np.uint32), jax.random.key(0)),
        (jax.random.key(0), np.zeros(2, np.int32)),
        (jax.random.key(0, impl="rbg"), jax.random.key(0)),
        (3.0, np.zeros(())),
    ],
    ids=lambda x: str(getattr(x, "dtype", "number")),
)
def test_no_other_dtype_is_converted(given_array, spec):
    with pytest.raises(ValueError, match="mismatching  x: given"):
        fill({"x": spec}, {"x": given_array})


def test_a_number_that_the_dtype_cannot_hold_is_not_lost():
    with pytest.raises(ValueError, match=r"needs float16\[1\], where 1e\+30 is infinite"):
        fill({"x": jnp.zeros(1, jnp.float16)}, {"x": np.array([1e30], np.float32)})


def test_what_this_session_cannot_hold_is_an_error():
    spec = jax.ShapeDtypeStruct((2,), np.float64)
    with pytest.raises(ValueError, match=r"takes jax\.config\.update\('jax_enable_x64', True\)"):
        fill({"x": spec}, {"x": np.zeros(2)})


def test_leaves_take_the_layout_of_their_place():
    mesh = jax.make_mesh((4,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    split = jax.NamedSharding(mesh, jax.P("d"))
    spec = {
        "struct": jax.ShapeDtypeStruct((8,), jnp.float32, sharding=split),
        "array": jax.device_put(jnp.zeros(8), split),
        "other": jax.device_put(jnp.zeros(8), jax.devices()[2]),
        "free": jnp.zeros(8),
        "key": jax.random.split(jax.random.key(0), 4),
        "numpy": np.zeros(8, np.float32),
    }
    values = {path: np.arange(8, dtype=np.float32) for path in spec}
    filled, _ = fill(spec, values | {"key": jax.random.split(jax.random.key(1), 4)})
    assert filled["struct"].sharding == filled["array"].sharding == split
    assert filled["other"].devices() == {jax.devices()[2]} and filled["other"].committed
    assert not filled["free"].committed and isinstance(filled["numpy"], np.ndarray)
    for path in ("struct", "array", "other", "free", "numpy"):
        np.testing.assert_array_equal(filled[path], values[path])
    chex.assert_trees_all_equal(filled["key"], jax.random.split(jax.random.key(1), 4))


def test_there_must_be_something_to_keep():
    with pytest.raises(ValueError, match="'b' would stay a ShapeDtypeStruct; give arrays"):
        fill(
            {"a": np.zeros(1), "b": jax.ShapeDtypeStruct((1,), float)}, {"a": np.ones(1)}, only="a"
        )


def test_a_weights_file_fills_a_model(tmp_path):
    path = tmp_path / "w.safetensors"
    jn.interop.safetensors.save(path, {"encoder": tree.unflatten(arrays)["body"]})
    loaded = jn.interop.safetensors.load(path)
    filled, report = fill(like, loaded, only="body/**", rename={"encoder/**": "body/**"})
    np.testing.assert_array_equal(filled["body"]["0"]["bias"], arrays["body/0/bias"])
    assert report.loaded == ("body/0/bias", "body/0/kernel")
