from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet as jn
from jaxnet import nn
from jaxnet.train.pure import pure_fit
from jaxnet.train.state import TrainState
from jaxnet.train.sweep import Sweep, sweep

rng = np.random.default_rng(0)
x = jnp.asarray(rng.standard_normal((32, 3)), jnp.float32)
y = (x[:, 0] > 0).astype(jnp.int32)
net = nn.Linear(2)


def run(lr, seed):
    """Three epochs of a small classifier."""

    def loss_fn(params, batch, key):
        return jn.losses.softmax_cross_entropy(net(params, batch[0]), batch[1])

    tx, key = jn.optim.sgd(lr), jax.random.key(seed)
    state = TrainState.create(net.init(key, x), tx, key)
    state, history = pure_fit(loss_fn, tx, state, (x, y), epochs=3, batch_size=8)
    return {"loss": history["loss"][-1], "curve": history["loss"], "params": state.params}


def assert_close(a, b):
    chex.assert_trees_all_close(a, b, rtol=1e-5, atol=1e-6)


def shown(**scores):
    """A sweep over lr and seed with results as given."""
    axes = {"lr": np.array([0.1, 0.2, 0.3]), "seed": np.arange(2)}
    return Sweep(axes, {name: np.array(values) for name, values in scores.items()})


def test_members_equal_single_runs_however_they_are_divided():
    axes: dict[str, Any] = {"lr": [0.1, 0.5, 1.0], "seed": range(3)}
    whole = sweep(run, **axes)
    assert whole.results["curve"].shape == (3, 3, 3)
    single = jax.jit(run)
    for i, lr in enumerate(axes["lr"]):
        for seed in axes["seed"]:
            member = jax.tree.map(lambda leaf: leaf[i, seed], whole.results)
            assert_close(member, jax.device_get(single(lr, seed)))
    assert_close(sweep(run, batch=4, **axes).results, whole.results)
    # Nine members on four devices, which pads; then in parts as well.
    assert_close(sweep(run, devices=jax.devices(), **axes).results, whole.results)
    assert_close(sweep(run, devices=jax.devices()[1:3], batch=3, **axes).results, whole.results)


def test_devices_share_the_members():
    def where(lr):
        return {"size": jnp.float32(jax.typeof(lr).size), "index": jax.lax.axis_index("members")}

    result = sweep(where, devices=jax.devices()[:4], lr=np.arange(8.0))
    assert result.results["index"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_the_grid_has_the_order_of_the_axes():
    def place(a, b, c):
        return {"number": 100 * a + 10 * b + c, "nested": {"key": jax.random.key(c)}}

    result = sweep(place, a=[1, 2], b=(3,), c=np.array([4, 5, 6]))
    assert result.results["number"].tolist() == [[[134, 135, 136]], [[234, 235, 236]]]
    assert result.rows()[4] == {"a": 2, "b": 3, "c": 5, "number": 235}
    config, best = result.best("number", over=None)
    assert config == {"a": 2, "b": 3, "c": 6}
    assert best["nested"]["key"] == jax.random.key(6)


def test_values_reach_run_in_the_dtypes_of_jax():
    result = sweep(lambda f, i, b: {"f": f, "i": i, "b": b}, f=[0.1], i=[3], b=[True])
    assert [result.results[name].dtype for name in "fib"] == ["float32", "int32", "bool"]
    assert result.rows()[0]["f"] != 0.1 and result.best("f")[0] == {"f": 0.1, "i": 3, "b": True}


def test_the_best_setting_is_that_of_the_best_mean():
    result = shown(score=[[5, 0], [3, 4], [1, 1]], name=[[0, 1], [2, 3], [4, 5]])
    config, best = result.best("score")
    assert config == {"lr": 0.2}
    assert best["score"].tolist() == [3, 4] and best["name"].tolist() == [2, 3]
    assert isinstance(best["name"], jax.Array)
    assert result.best("score", mode="min")[0] == {"lr": 0.3}
    assert result.best("score", over=None)[0] == {"lr": 0.1, "seed": 0}
    assert result.best("score", over="lr")[0] == {"seed": 0}


def test_the_table_has_means_deviations_and_errors():
    result = shown(score=[[5, 0], [3, 4], [1, 1]])
    table = [line.split() for line in result.table("score").splitlines()]
    assert table[0] == ["lr", "score", "std", "error"]
    values = np.array([[3, 4], [5, 0], [1, 1]])
    std = values.std(1, ddof=1)
    for line, lr, row in zip(table[1:], [0.2, 0.1, 0.3], range(3), strict=True):
        figures = [lr, values[row].mean(), std[row], std[row] / np.sqrt(2)]
        assert [float(text) for text in line if text != "*"] == pytest.approx(figures, rel=1e-3)
        assert (line[0] == "*") == (row == 0)
    assert result.table("score", over=None).splitlines()[1].split() == ["*", "0.1", "0", "5"]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_diverged_settings_are_shown_and_never_best(mode):
    lost = np.inf if mode == "max" else -np.inf
    result = shown(score=[[lost, lost], [1, 2], [np.nan, 9]])
    assert result.best("score", mode=mode)[0] == {"lr": 0.2}
    lines = result.table("score", mode=mode).splitlines()
    assert lines[1].split()[:3] == ["*", "0.2", "1.5"]
    assert lines[2].split() == ["0.1", "diverged", "2", "of", "2"]
    assert lines[3].split() == ["0.3", "diverged", "1", "of", "2"]


def test_where_all_diverged_none_is_best():
    result = shown(score=np.full((3, 2), np.nan))
    assert "*" not in result.table("score")
    with pytest.raises(ValueError, match=r"'score' is not finite in any setting.*learning rates"):
        result.best("score")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("scores",), "run returned no 'scores'; did you mean 'score'"),
        (("curve",), r"'curve' must be a real number for each member, but is int64\[3\].*\[-1\]"),
        (("tree",), r"'tree' must be a real number .* but is a dict"),
        (("score", "most"), "a sweep has no mode='most'; there are: 'max', 'min'"),
        (("score", "max", "seeds"), "the sweep has no axis over='seeds'; did you mean 'seed'"),
    ],
)
def test_mistakes_of_asking_are_explained(arguments, message):
    result = shown(score=np.ones((3, 2)), curve=np.ones((3, 2, 3), int))
    result.results["tree"] = {"leaf": np.ones((3, 2))}
    metric, *rest = arguments
    options = dict(zip(("mode", "over"), rest, strict=False))
    for ask in (result.best, result.table):
        with pytest.raises(ValueError, match=message):
            ask(metric, **options)


misused: Any = sweep


def one(lr, seed=0):
    return {"loss": lr + seed}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: misused(one), "a sweep needs an axis"),
        (lambda: misused(one, lr=[]), "the axis 'lr' is empty"),
        (
            lambda: misused(one, lr=["sgd", "adam"]),
            "'lr' must be a sequence of numbers.*'sgd', 'adam'",
        ),
        (lambda: misused(one, lr=0.1), "'lr' must be a sequence of numbers.*but is 0.1"),
        (lambda: misused(one, lr=[[1, 2]]), "'lr' must be a sequence of numbers"),
        (lambda: misused(one, lr=[[1], [1, 2]]), "'lr' must be a sequence of numbers"),
        (
            lambda: misused(one, lr=jax.random.split(jax.random.key(0), 2)),
            r"'lr' must be a sequence of numbers.*seeds: jax.random.key\(seed\)",
        ),
        (lambda: misused(one, lr=[1, np.nan]), "not finite numbers of float32"),
        (lambda: misused(one, lr=[1e300]), "not finite numbers of float32"),
        (lambda: misused(one, lr=[2**40]), "not finite numbers of int32"),
        (lambda: misused(one, rate=[1]), "run takes no argument 'rate'; there are: 'lr', 'seed'"),
        (lambda: misused(one, seed=[1]), r"run needs the arguments 'lr' too.*lr=\[…\]"),
        (lambda: misused(lambda lr: lr, lr=[1]), r"run must return a dict.*but returned int32\[\]"),
        (lambda: misused(lambda lr: {}, lr=[1]), "run must return a dict.*an empty dict"),
        (
            lambda: misused(lambda lr: {"a": {"name": "adam"}}, lr=[1]),
            "must return numbers and arrays, but 'a/name' is 'adam'",
        ),
        (lambda: misused(one, lr=[1], batch=0), "batch, the number of members at a time"),
        (lambda: misused(one, lr=[1], batch=[8, 16]), "an axis needs another name"),
        (lambda: misused(one, lr=[1], devices=[1, 2]), "devices must be some of jax.devices"),
    ],
)
def test_mistakes_of_calling_are_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_axis_that_makes_the_program_is_named():
    def run(lr, width, depth):
        params = nn.Linear(width).init(jax.random.key(0), x)
        return {"loss": lr * params["kernel"].sum()}

    with pytest.raises(ValueError, match=r"made by the value of 'width': .*width=x") as error:
        sweep(run, lr=[1.0], width=[4, 8], depth=[1])
    assert "Linear.features is int32" in str(error.value.__cause__)

    def both(a, b):
        return {"loss": jnp.ones((a, b)).sum() if a > b else 0.0}

    with pytest.raises(ValueError, match="made by the value of 'a', 'b'"):
        sweep(both, a=[1], b=[2])


def test_other_errors_of_run_are_its_own():
    with pytest.raises(TypeError, match="add got incompatible shapes"):
        sweep(lambda lr: {"loss": (lr + jnp.ones(2)) + jnp.ones(3)}, lr=[1.0])
