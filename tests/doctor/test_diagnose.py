"""Broken set-ups, each of which has to be named, and healthy ones, of which nothing may be said."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import datasets

from jaxnet import layer, losses, metrics, nn, optim, tree
from jaxnet.doctor import diagnose


def standardised(x):
    return ((x - x.mean(0)) / (x.std(0) + 1e-8)).astype(np.float32)


def mlp(features, hidden=64):
    return nn.Sequential(
        nn.Linear(hidden), nn.relu, nn.Linear(hidden), nn.relu, nn.Linear(features)
    )


def classified(net):
    def loss_fn(params, batch, key):
        logits = net(params, batch[0], key=key)
        loss = losses.softmax_cross_entropy(logits, batch[1])
        return loss, {"accuracy": metrics.accuracy(logits, batch[1])}

    return loss_fn


def regressed(net):
    return lambda params, batch, key: losses.mean_squared_error(
        net(params, batch[0], key=key), batch[1]
    )


def digits():
    x, y = datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 16).astype(np.float32), y[order].astype(np.int32)


# One size and one model for most cases, which are then compiled together.
(X, HELD_X), (Y, HELD_Y) = (np.split(part, [1600]) for part in digits())
NET = mlp(10)
LOSS, TX = classified(NET), optim.adam(1e-3)
PARAMS = NET.init(jax.random.key(5), X[:1])


def ask(net: nn.Layer = NET, loss_fn=LOSS, data=(X, Y), *, seed=0, tx=TX, **options):
    return diagnose(net, loss_fn, data, tx=tx, key=jax.random.key(seed), **options)


def with_params(net, change, **options):
    params = net.init(jax.random.key(5), X[:1])
    return {"net": net, "params": tree.map_paths(change, params), **options}


def shuffled(seed):
    return {"data": (X, np.random.default_rng(seed).permutation(Y))}


def leaking(seed):
    rng = np.random.default_rng(seed)
    known = X[:40] + 1e-3 * rng.standard_normal((40, 64)).astype(np.float32)
    held = np.concatenate([HELD_X, known]), np.concatenate([HELD_Y, Y[:40]])
    return {"validation_data": held}


def imbalanced(seed):
    kept = np.flatnonzero((Y != 1) | (np.random.default_rng(seed).random(len(Y)) < 0.5))
    net = mlp(2)
    ones = (Y[kept] == 1).astype(np.int32)
    return {"net": net, "loss_fn": classified(net), "data": (X[kept], ones)}


def small(seed):
    # Whether two signs agree: no linear model can tell.
    x = np.random.default_rng(seed).uniform(-1, 1, (600, 2)).astype(np.float32)
    net = nn.Linear(2)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int32)
    return {"net": net, "loss_fn": classified(net), "data": (x, y), "tx": optim.adam(1e-2)}


def softmax_twice(seed):
    net = nn.Sequential(*NET.layers, jax.nn.softmax)
    return {"net": net, "loss_fn": classified(net)}


def ordered(seed):
    order = np.argsort(Y, kind="stable")
    return {"data": (X[order], Y[order]), "shuffle": False}


def below(path, bias):
    return -10 + bias if path == "2/bias" else bias


BROKEN = {
    "learning rate too high": lambda seed: {"tx": optim.adam(1.0)},
    "learning rate too low": lambda seed: {"tx": optim.adam(1e-6)},
    "labels unrelated to inputs": shuffled,
    "inputs not scaled": lambda seed: {"data": (255 * X, Y)},
    "all weights start at zero": lambda seed: with_params(NET, lambda _, x: jnp.zeros_like(x)),
    "all units start equal": lambda seed: with_params(NET, lambda _, x: jnp.full_like(x, 0.05)),
    "dead units": lambda seed: with_params(NET, below),
    "softmax applied twice": softmax_twice,
    "validation examples in the training data": leaking,
    "class imbalance": imbalanced,
    "model too small": small,
    "data not shuffled": ordered,
}


@pytest.mark.parametrize("fault", BROKEN)
def test_the_fault_is_named(fault):
    found = ask(**BROKEN[fault](0))
    assert found.faults == (fault,)
    assert f"FAULT: {fault}" in str(found)
    assert "Try: " in str(found)


@pytest.mark.soak
@pytest.mark.parametrize("seed", (1, 2, 3))
@pytest.mark.parametrize("fault", BROKEN)
def test_the_fault_is_named_whatever_the_seed(fault, seed):
    assert ask(seed=seed, **BROKEN[fault](seed)).faults == (fault,)


def test_a_digits_model_is_healthy():
    found = ask(validation_data=(HELD_X, HELD_Y))
    assert found.findings == ()
    assert str(found).startswith("Nothing wrong was found.\n\nMeasured:")
    assert found.measured["batch: skill after learning it by heart"] > 0.95
    assert found.measured["start: cross-entropy of knowing nothing"] == pytest.approx(np.log(10))


def diabetes():
    x, y = map(np.asarray, datasets.load_diabetes(return_X_y=True))
    return standardised(x), standardised(y.reshape(-1, 1))


def test_a_regression_is_healthy():
    net = mlp(1, 32)
    found = ask(net, regressed(net), diabetes())
    assert found.findings == ()
    # The best linear model explains half of the variance of what it has not seen.
    assert 0.3 < found.measured["labels: skill of the model on unseen examples"] < 0.7


@pytest.mark.slow
@pytest.mark.parametrize("seed", (0, 1))
def test_a_convolutional_network_with_batch_norm_and_dropout_is_healthy(seed):
    def block(features):
        return nn.Sequential(nn.Conv(features, 3, padding="SAME"), nn.BatchNorm(), nn.relu)

    net = nn.Sequential(
        block(8), nn.MaxPool(2), block(16), nn.MaxPool(2), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(10),
    )  # fmt: skip
    found = ask(net, classified(net), (X.reshape(-1, 8, 8, 1), Y), seed=seed)
    assert found.findings == ()


@pytest.mark.slow
@pytest.mark.parametrize("seed", (0, 1, 2))
@pytest.mark.parametrize("name", ("iris", "wine", "breast_cancer"))
@pytest.mark.parametrize("linear", (True, False))
def test_small_tables_are_healthy(name, linear, seed):
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    features = len(np.unique(y))
    net = nn.Linear(features) if linear else mlp(features, 32)
    tx = optim.sgd(0.1) if linear else TX
    data = standardised(x), y.astype(np.int32)
    assert ask(net, classified(net), data, tx=tx, seed=seed).findings == ()


def test_one_logit_and_sigmoid_twice():
    x, y = datasets.load_breast_cancer(return_X_y=True)
    x, y = standardised(x), y.astype(np.float32)

    def loss_of(net):
        return lambda params, batch, key: losses.sigmoid_cross_entropy(
            net(params, batch[0], key=key)[:, 0], batch[1]
        )

    right = nn.Sequential(nn.Linear(16), nn.relu, nn.Linear(1))
    assert ask(right, loss_of(right), (x, y)).findings == ()
    wrong = nn.Sequential(*right.layers, nn.sigmoid)
    assert ask(wrong, loss_of(wrong), (x, y)).faults == ("sigmoid applied twice",)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "scale", "shift", "mixed"),
    [
        ("targets not scaled", 77.0, 152.0, False),
        ("labels unrelated to inputs", 1.0, 0.0, True),
    ],
)
def test_faults_of_a_regression(fault, scale, shift, mixed):
    x, y = diabetes()
    y = np.random.default_rng(0).permutation(y) if mixed else y
    net = mlp(1, 32)
    assert ask(net, regressed(net), (x, scale * y + shift)).faults == (fault,)


@pytest.mark.slow
def test_a_layer_that_is_too_narrow():
    net = nn.Sequential(nn.Linear(1), nn.relu, nn.Linear(10))
    assert ask(net, classified(net)).faults == ("model too small",)


@pytest.mark.slow
def test_gradients_that_vanish():
    layers = [part for _ in range(14) for part in (nn.Linear(32), nn.sigmoid)]
    net = nn.Sequential(*layers, nn.Linear(10))
    assert ask(net, classified(net)).faults == ("vanishing gradients",)


@pytest.mark.slow
def test_raw_measurements_and_tiny_inputs():
    x, y = datasets.load_breast_cancer(return_X_y=True)
    net = mlp(2, 32)
    data = x.astype(np.float32), y.astype(np.int32)
    assert ask(net, classified(net), data).faults == ("inputs not scaled",)
    assert ask(data=(X / 1000, Y)).faults == ("inputs not scaled",)


def test_a_model_that_scales_its_inputs_itself_may_have_them_raw():
    @layer
    def scaled(params, x, *, key=None):
        return NET(params, x / 255, key=key)

    found = ask(scaled, classified(scaled), (255 * X, Y))
    assert found.findings == ()


def test_data_that_no_experiment_can_use():
    broken = X.copy()
    broken[7, 3] = np.nan
    assert ask(data=(broken, Y)).faults == ("data not finite",)
    assert ask(data=(X, Y + 1)).faults == ("labels out of range",)


def test_without_an_optimizer_no_rate_is_judged_and_the_result_is_repeatable():
    history = {"loss": [2.0, 1.9, 1.9]}
    first, second = (diagnose(NET, LOSS, (X, Y), history=history) for _ in range(2))
    assert first.faults == ("underfitting",)
    assert first.measured == second.measured


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (X, r"data must be a pair of arrays \(x, y\) .* but is float32\[1600,64\]"),
        ((X, Y[:-1]), r"one length.*float32\[1600,64\], int32\[1599\]"),
        ((X[:9], Y[:9]), "has 9 examples, but a diagnosis needs at least 20"),
    ],
)
def test_data_of_another_form(data, words):
    with pytest.raises(ValueError, match=words):
        diagnose(NET, LOSS, data)


def test_options_that_make_no_sense():
    with pytest.raises(ValueError, match="seconds must be a number above 0"):
        ask(seconds=0)
    with pytest.raises(ValueError, match="validation_data must be a pair"):
        ask(validation_data=X)
    with pytest.raises(ValueError, match="batch_size must be an int of at least 2"):
        ask(batch_size=1)
