from typing import Any

import chex
import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnet as jn
from jaxnet import nn
from jaxnet.train import TrainState, train_step
from jaxnet.train.loss_scale import adapt, start
from jaxnet.train.precision import Precision, as_precision
from jaxnet.train.rounding import round_stochastically
from jaxnet.train.step import plain_step

key = jax.random.key(0)
x = jax.random.normal(key, (16, 3))
y = jax.random.normal(jax.random.key(1), (16, 2))
net = nn.Sequential(nn.Linear(8), nn.BatchNorm(), nn.relu, nn.Linear(2))
tx = optax.adam(0.01)


def loss_fn(params, batch, key):
    x, y = batch
    return jn.losses.mean_squared_error(net(params, x, key=key), y)


def dtypes(tree):
    return {path: leaf.dtype.name for path, leaf in jn.tree.flatten(tree).items()}


def test_layers_see_weights_by_path_and_statistics_as_they_are():
    policy = Precision("bfloat16", keep={"3/kernel": "float32", "3/**": "float16"})
    assert dtypes(policy.cast_params(net.init(key, x))) == {
        "0/bias": "bfloat16",
        "0/kernel": "bfloat16",
        "1/bias": "bfloat16",
        "1/scale": "bfloat16",
        "1/stats/mean": "float32",
        "1/stats/var": "float32",
        "3/bias": "float16",
        "3/kernel": "float32",
    }


def test_a_wrapped_layer_computes_in_bfloat16_and_returns_float32():
    def layer(params, x, ids, *, mask, bias, key):
        seen.update(dtypes({"w": params["w"], "x": x, "ids": ids, "mask": mask, "bias": bias}))
        assert jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
        return params["w"] * x, ids

    seen: dict[str, str] = {}
    wrapped = Precision().wrap(layer)
    y, ids = wrapped({"w": x}, x, jnp.arange(2), mask=x > 0, bias=x, key=key)
    bf16 = dict.fromkeys(("w", "x", "bias"), "bfloat16")
    assert seen == bf16 | {"ids": "int32", "mask": "bool"}
    assert (y.dtype, ids.dtype) == (jnp.float32, jnp.int32)
    half = x.astype(jnp.bfloat16)
    chex.assert_trees_all_equal(y, (half * half).astype(jnp.float32))


def test_masters_gradients_and_optimizer_are_float32_and_the_loss_function_sees_less():
    seen: list[Any] = []
    sees_value = jn.optim.plateau(tx, patience=3)

    def spied(params, batch, key):
        seen.append((dtypes(params), dtypes(batch)))
        return jnp.square(net(params, batch[0], key=key) - batch[1]).mean()  # in bfloat16

    state = TrainState.create(net.init(key, x), sees_value, key, precision="bfloat16")
    state, metrics = train_step(spied, sees_value, precision="bfloat16")(state, (x, y))
    params, batch = seen[0]
    assert set(batch.values()) == {"bfloat16"} and params["0/kernel"] == "bfloat16"
    assert params["1/stats/mean"] == "float32"
    assert set(dtypes((state.params, metrics)).values()) == {"float32"}
    assert set(dtypes(state.opt_state).values()) == {"float32", "int32"}


def test_the_loss_sees_rounded_values_while_the_weights_keep_their_digits():
    weight, input_, tx = np.float32(1 + 2.0**-12), np.float32(1 + 2.0**-10), optax.sgd(2.0**-8)
    product = lambda params, batch, key: (params["w"] * batch).sum()
    state = TrainState.create({"w": jnp.asarray(weight)}, tx, key, precision="bfloat16")
    state, metrics = train_step(product, tx, precision="bfloat16")(state, jnp.array([input_]))
    # Both are 1 in bfloat16, and so is the gradient.
    assert metrics["loss"] == 1 and state.params["w"] == weight - np.float32(2.0**-8)


def test_statistics_do_not_depend_on_the_scale():
    def statistics(scale):
        policy = Precision("float16", scale=scale)
        state = TrainState.create(net.init(key, x), tx, key, precision=policy)
        state, metrics = train_step(loss_fn, tx, precision=policy, accumulate=2)(state, (x, y))
        assert metrics["skipped"] == 0 and metrics["loss_scale"] == scale
        return state.params["1"]["stats"]

    small, large = statistics(1.0), statistics(2.0**15)
    chex.assert_trees_all_equal(small, large)
    assert not jnp.array_equal(small["mean"], jnp.zeros(8))


def test_small_gradients_survive_float16():
    # The gradient, 1e-9, is below the least number of float16, 6e-8.
    tiny = lambda params, batch, key: (params["w"] * batch).sum().astype(jnp.float32) * 1e-9
    tx = optax.sgd(1.0)

    def moved(**options):
        policy = Precision("float16", **options)
        state = TrainState.create({"w": jnp.zeros(())}, tx, key, precision=policy)
        return train_step(tiny, tx, precision=policy)(state, jnp.ones(1))[0].params["w"]

    np.testing.assert_allclose(moved(), -1e-9, rtol=1e-2)
    assert moved(scale=1.0) == 0


def test_an_overflow_is_skipped_and_the_scale_falls_and_recovers():
    policy = Precision("float16", scale=1024.0, scale_period=3)
    step = train_step(loss_fn, tx, precision=policy, ema=0.9, clip=1.0)
    state = TrainState.create(net.init(key, x), tx, key, precision=policy, ema=True)
    scales, skipped = [], []
    for i in range(8):
        batch = (x, jnp.full_like(y, 6e4)) if i == 1 else (x, y)  # its error times 1024 is too much
        before = jax.tree.map(np.asarray, (state.params, state.opt_state, state.averaged))
        state, metrics = step(state, batch)
        after = state.params, state.opt_state, state.averaged
        if metrics["skipped"]:
            chex.assert_trees_all_equal(after, before)
            assert jnp.isfinite(metrics["loss"])
        else:
            assert not np.array_equal(after[0]["0"]["kernel"], before[0]["0"]["kernel"])
        scales.append(float(metrics["loss_scale"]))
        skipped.append(float(metrics["skipped"]))
    assert skipped == [0, 1, 0, 0, 0, 0, 0, 0]
    assert scales == [1024, 1024, 512, 512, 512, 1024, 1024, 1024]
    assert state.step == 8 and state.extra["scale"]["scale"] == 2048


def test_the_scale_never_leaves_its_range():
    scale = start(Precision("float16", scale=2.0, scale_period=1))
    for _ in range(3):
        scale = adapt(scale, jnp.array(False), 1)
    assert scale["scale"] == 1
    for _ in range(200):
        scale = adapt(scale, jnp.array(True), 1)
    assert scale["scale"] == 2.0**127


def bits(x):
    return np.asarray(x, np.float32).view(np.uint32)


@hypothesis.given(st.floats(width=32, allow_nan=False), st.integers(0, 2**31))
@hypothesis.settings(max_examples=100, deadline=None)
def test_a_number_goes_to_one_of_its_two_neighbours(value, seed):
    rounded = round_stochastically(jnp.float32(value), jax.random.key(seed))
    assert rounded.dtype == jnp.bfloat16
    lower = bits(value) & 0xFFFF0000
    if np.abs(value) >= float(jnp.finfo(jnp.bfloat16).max):
        assert bits(rounded) == bits(jnp.bfloat16(value))
    elif lower == bits(value):
        assert bits(rounded) == lower
    else:
        assert bits(rounded) in (lower, lower + 0x10000)


def test_rounding_is_right_on_average_and_keeps_what_is_not_finite():
    values = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    keys = jax.random.split(key, 4000)
    draws = jax.vmap(lambda key: round_stochastically(jnp.asarray(values), key))(keys)
    mean = np.asarray(draws, np.float64).mean(0)
    # A draw is off by at most 2^-7 of the value, so the mean of 4000 by 2^-7/sqrt(4000) or so.
    np.testing.assert_array_less(np.abs(mean - values) / np.abs(values), 4 * 2.0**-7 / 4000**0.5)
    odd = np.array([np.inf, -np.inf, np.nan], np.float32)
    least, most = np.array([0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)  # NaNs, too
    kept = round_stochastically(jnp.array([*odd, least, most, 0.0, -0.0]), key)
    expected = [np.inf, -np.inf, np.nan, np.nan, np.nan, 0.0, -0.0]
    np.testing.assert_array_equal(kept.astype(jnp.float32), expected)
    with pytest.raises(ValueError, match="is from float32, but the weight is float16"):
        round_stochastically(jnp.ones(2, jnp.float16), key)


def test_updates_too_small_for_bfloat16_are_not_lost():
    tx = optax.sgd(1e-4)  # of weights of 1, whose neighbours are 1/128 or 1/256 away
    loss_fn = lambda params, batch, key: params["w"].sum()

    def weights(rounding):
        policy = Precision("float32", param="bfloat16", rounding=rounding)
        state = TrainState.create({"w": jnp.ones(4096)}, tx, key, precision=policy)
        assert state.params["w"].dtype == jnp.bfloat16
        step = train_step(loss_fn, tx, precision=policy, steps=100)
        state, _ = step(state, jnp.zeros(100))
        return np.asarray(state.params["w"], np.float64)

    assert (weights("nearest") == 1).all()
    drawn = weights("stochastic")
    assert abs(drawn.mean() - 0.99) < 4 * drawn.std() / 64 and drawn.std() > 1e-3


def test_weights_in_bfloat16_have_an_optimizer_and_an_average_in_float32():
    policy = Precision(param="bfloat16", rounding="stochastic")
    options: Any = {"precision": policy, "ema": 0.9, "skip_nonfinite": True, "accumulate": 2}
    counted: Any = chex.assert_max_traces(loss_fn, n=2)
    step = train_step(counted, tx, **options)
    state = TrainState.create(net.init(key, x), tx, key, precision=policy, ema=True)
    for _ in range(3):
        state, _ = step(state, (x, y))
    weights = {path: d for path, d in dtypes(state.params).items() if "stats" not in path}
    assert set(weights.values()) == {"bfloat16"}
    assert set(dtypes((state.averaged, state.params["1"]["stats"])).values()) == {"float32"}
    assert set(dtypes(state.opt_state).values()) == {"float32", "int32"}
    # The same state and batch give the same step: the rounding is drawn from the state's key.
    states = [TrainState.create(net.init(key, x), tx, key, precision=policy, ema=True)] * 2
    plain = jax.jit(plain_step(loss_fn, tx, **options))
    one, other = (plain(state, (x, y))[0] for state in states)
    chex.assert_trees_all_equal(one.params, other.params)


def test_a_policy_is_a_value():
    policy = Precision("float16", keep={"head/**": "float32"})
    assert policy == Precision("float16", keep=(("head/**", "float32"),))
    assert hash(policy) == hash(as_precision(policy)) != hash(Precision("float16"))
    assert as_precision("float16") == Precision("float16") and as_precision(None) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Precision("bf16"), r"no compute='bf16'; did you mean 'bfloat16'"),
        (lambda: as_precision("mixed_bfloat16"), "did you mean 'bfloat16', 'float16'"),
        (lambda: Precision(param="int8"), "no param='int8'"),
        (lambda: Precision(output="f"), "no output='f'"),
        (lambda: Precision(keep={"a": "double"}), r"no keep\['a'\]='double'"),
        (lambda: Precision(rounding="up"), "no rounding='up'"),
        (lambda: Precision(rounding="stochastic"), "are float32; add param='bfloat16'"),
        (lambda: Precision("float16", scale=0.5), "a number of at least 1, but is 0.5"),
        (lambda: Precision("float16", scale_period=0), "scale_period of Precision must be an int"),
        (lambda: Precision(scale=8.0), "nothing is computed in it here: compute is bfloat16"),
        (
            lambda: TrainState.create(
                net.init(key, x), tx, key, precision=Precision(keep={"hed/**": "float32"})
            ),
            "the pattern 'hed/[*][*]' matches no path",
        ),
        (
            lambda: Precision(keep={"1/stats/*": "float32"}).cast_params(net.init(key, x)),
            "'1/stats/[*]' matches no path",
        ),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ValueError, match=message):
        make()
