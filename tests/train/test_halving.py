import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet as jn
from jaxnet import nn
from jaxnet.train.halving import successive_halving
from jaxnet.train.pure import pure_fit
from jaxnet.train.state import TrainState

rng = np.random.default_rng(0)
x = jnp.asarray(rng.standard_normal((24, 3)), jnp.float32)
y = x.sum(1, keepdims=True)
net = nn.Linear(1)


def loss_fn(params, batch, key):
    return jnp.square(net(params, batch[0]) - batch[1]).mean()


def start(lr, seed):
    key = jax.random.key(seed)
    return TrainState.create(net.init(key, x), jn.optim.sgd(lr), key)


def advance(state, begin, end, lr, seed):
    tx, epochs = jn.optim.sgd(lr), end - begin
    options = {"epochs": epochs, "batch_size": 8, "first": begin}
    return pure_fit(loss_fn, tx, state, (x, y), **options)[0]


def score(state):
    return loss_fn(state.params, (x, y), None)


def test_the_winner_is_where_its_own_full_training_ends():
    configs = {"lr": np.geomspace(1e-3, 0.3, 8), "seed": np.arange(8)}
    halving = successive_halving(start, advance, score, configs, rungs=3, factor=2, mode="min")
    full = lambda lr, seed: advance(start(lr, seed), 0, 4, lr, seed)
    state = jax.jit(full)(**halving.config)
    assert halving.state.step == state.step == 12
    chex.assert_trees_all_close(halving.state.params, state.params, rtol=1e-5, atol=1e-6)
    assert halving.score == pytest.approx(float(score(state)), rel=1e-4)
    assert [len(rung.members) for rung in halving.rungs] == [8, 4, 2]
    assert [(rung.begin, rung.end) for rung in halving.rungs] == [(0, 1), (1, 2), (2, 4)]


# A member is a number that grows by its own rate with every unit.
def grow(configs, *, move=lambda w, n, a: w + n * a, **options):
    return successive_halving(
        lambda a: jnp.zeros(()),
        lambda w, begin, end, a: move(w, end - begin, a),
        lambda w: w,
        configs,
        **options,
    )


@pytest.mark.parametrize(
    ("n", "rungs", "factor", "least"), [(27, 4, 3, 1), (10, 3, 2, 5), (5, 1, 9, 2)]
)
def test_the_budget_is_that_of_the_formula(n, rungs, factor, least):
    rates = rng.permutation(np.arange(1.0, n + 1))
    halving = grow({"a": rates}, rungs=rungs, factor=factor, least=least)
    sizes = [n // factor**r for r in range(rungs)]
    ends = [least * factor**r for r in range(rungs)]
    spent = sum(
        size * (end - begin) for size, begin, end in zip(sizes, [0, *ends], ends, strict=False)
    )
    assert halving.budget == spent
    for rung, size, end in zip(halving.rungs, sizes, ends, strict=True):
        best = np.sort(np.argsort(-rates)[:size])
        assert rung.members.tolist() == best.tolist()
        np.testing.assert_allclose(rung.scores, end * rates[best])
    assert (
        halving.config == {"a": float(n)} and halving.score == float(halving.state) == n * ends[-1]
    )


def test_the_lowest_wins_if_so_asked():
    assert grow({"a": [3.0, 1.0, 2.0]}, rungs=2, mode="min").config == {"a": 1.0}


def test_equals_go_on_in_order():
    halving = grow({"a": [1.0, 1.0, 1.0, 1.0]}, rungs=2, factor=2)
    assert halving.rungs[1].members.tolist() == [0, 1]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_what_diverged_ranks_last(mode):
    lost = jnp.inf if mode == "max" else -jnp.inf
    move = lambda w, n, a: jnp.where(a == 0, jnp.nan, jnp.where(a == 9, lost, a))
    halving = grow({"a": [0.0, 9.0, 2.0, 2.0]}, move=move, rungs=2, factor=2, mode=mode)
    assert halving.rungs[1].members.tolist() == [2, 3] and halving.config == {"a": 2.0}


@pytest.mark.parametrize(
    ("configs", "options", "message"),
    [
        ({"a": [1.0] * 8}, {"rungs": 3}, "3 rungs that keep 1 in 3 need at least 9 .* has 8"),
        ({"a": [1.0], "b": [1, 2]}, {"rungs": 1}, "one value for each member.*'a': 1, 'b': 2"),
        ({}, {"rungs": 1}, "one value for each member and name"),
        ({"a": ["x"]}, {"rungs": 1}, "'a' must be a sequence of numbers"),
        ({"a": [1.0]}, {"rungs": 0}, "rungs must be an int of at least 1"),
        ({"a": [1.0]}, {"rungs": 1, "factor": 1}, "factor must be an int of at least 2"),
        ({"a": [1.0]}, {"rungs": 1, "least": 0}, "least must be an int of at least 1"),
        ({"a": [1.0]}, {"rungs": 1, "mode": "up"}, "has no mode='up'"),
        (
            {"a": [1.0]},
            {"rungs": 1, "move": lambda w, n, a: w * jnp.nan},
            "no member of rung 0 has a finite score",
        ),
        (
            {"a": [1.0]},
            {"rungs": 1, "move": lambda w, n, a: jnp.ones(2)},
            r"score must return a real number.*float32\[2\]",
        ),
        (
            {"a": [3]},
            {"rungs": 1, "move": lambda w, n, a: jnp.ones(a).sum()},
            "by the value of 'a'",
        ),
    ],
)
def test_mistakes_are_explained(configs, options, message):
    with pytest.raises(ValueError, match=message):
        grow(configs, **options)
