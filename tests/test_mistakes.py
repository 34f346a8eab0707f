"""Mistakes a newcomer makes: each is met at the earliest point by a message that says the fix."""

# pyright: reportArgumentType=false

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet as jn
from jaxnet import nn

key = jax.random.key(0)
x = jnp.ones((8, 10))
targets = jnp.ones((8, 1))
classes = jnp.arange(8) % 3
net = nn.Sequential(nn.Linear(20), nn.relu, nn.Linear(1))
params = net.init(key, x)
classifier = nn.Sequential(nn.Linear(20), nn.relu, nn.Linear(3))
logits = classifier(classifier.init(key, x), x)
images = jnp.ones((2, 8, 8, 1))
tx = jn.optim.sgd(0.1)


def loss_fn(params, batch, key):
    x, y = batch
    return jn.losses.mean_squared_error(net(params, x, key=key), y)


def state():
    return jn.train.TrainState.create(params, tx, key)


def fit(*data, **options):
    return jn.train.fit(loss_fn, tx, state(), data, epochs=1, progress=False, **options)


MISTAKES = {
    "wrong feature count": (
        lambda: net(params, jnp.ones((8, 12))),
        "these parameters do not fit Sequential(Linear(20), relu, Linear(1)) on float32[8,12]",
        "mismatch    0/kernel: given float32[10,20], needs float32[12,20]",
        "If the input is right, make parameters for it: layer.init(key, x)",
    ),
    "swapped arguments": (
        lambda: net(x, params),
        "layer(params, x): its first argument is the dict of parameters",
        "float32[8,10] was given; were the arguments swapped?",
    ),
    "swapped arguments of init": (
        lambda: net.init(x, key),
        "a random key was needed, but float32[8,10] was given; make one with jax.random.key(0)",
    ),
    "labels of the wrong shape": (
        lambda: fit(x, jnp.ones(8)),
        "never broadcasts, but the predictions are float32[8,1] and the targets float32[8]; "
        "drop the axis of 1: predictions.squeeze(-1)",
    ),
    "float labels": (
        lambda: jn.losses.softmax_cross_entropy(logits, classes.astype(jnp.float32)),
        "float32[8]",
        ".astype(jnp.int32)",
    ),
    "a label that is no class": (
        lambda: jn.losses.softmax_cross_entropy(logits, classes + 1),
        "3 classes",
        "0 to 2",
    ),
    "labels of two axes": (
        lambda: jn.losses.softmax_cross_entropy(logits, classes[:, None]),
        "int32[8,1]",
        "float32[8,3]",
    ),
    "logits where probabilities belong": (
        lambda: jn.losses.binary_cross_entropy(3 * targets, targets),
        "between 3.0 and 3.0, not within [0, 1]; give logits to sigmoid_cross_entropy instead",
    ),
    "an unknown pattern": (
        lambda: jn.losses.l2(params, "**/weight"),
        "the pattern '**/weight' matches no path",
        "'0/kernel'",
    ),
    "freezing what is not there": (
        lambda: jn.optim.freeze(tx, "head/**").init(params),
        "the pattern 'head/**' matches no path",
    ),
    "parameters of another model": (
        lambda: nn.Sequential(nn.Linear(20), nn.LayerNorm(), nn.Linear(1))(params, x),
        "missing     1/scale: needs float32[20]",
        "missing     1/bias: needs float32[20]",
    ),
    "parameters of a deeper model": (
        lambda: nn.Sequential(nn.Linear(20))(params, x),
        "Sequential has no part for the parameters '2'; its parts are '0'",
        "made for another model",
    ),
    "a missing array": (
        lambda: net(params | {"2": {"kernel": params["2"]["kernel"]}}, x),
        "missing     2/bias: needs float32[1]",
    ),
    "a key that is a number": (
        lambda: nn.Sequential(nn.Dropout(0.5))({}, x, key=42),
        "a random key was needed, but 42 was given; make one with jax.random.key(0)",
    ),
    "an old-style key": (
        lambda: net.init(jax.random.PRNGKey(0), x),
        "a random key was needed, but uint32[2] was given; make one with jax.random.key(0)",
    ),
    "NaN in the data": (
        lambda: fit(x.at[3, 2].set(jnp.nan), targets),
        "the loss became nan in epoch 1, at step 0; the data holds values that are not finite, in "
        "float32[8,10]: clean it first",
    ),
    "a learning rate that is far too high": (
        lambda: jn.train.fit(
            loss_fn,
            jn.optim.sgd(1e8),
            jn.train.TrainState.create(params, jn.optim.sgd(1e8), key),
            (x, targets * 7),
            epochs=20,
            progress=False,
        ),
        "the data is finite, so try a learning rate ten times lower",
    ),
    "a batch of size 0": (
        lambda: jn.train.train_step(loss_fn, tx)(state(), (x[:0], targets[:0])),
        "the batch is empty: it holds float32[0,10], and the mean of nothing is NaN",
    ),
    "inputs and targets of different length": (
        lambda: fit(x, targets[:5]),
        "one first axis, an example a row, such as (x, y), but is float32[8,10], float32[5,1]",
    ),
    "a loss for each example": (
        lambda: jn.train.train_step(
            lambda params, batch, key: jnp.square(net(params, batch[0]) - batch[1]), tx
        )(state(), (x, targets)),
        "must return a scalar floating-point loss, but returned float32[8,1]; take the mean",
    ),
    "integer images": (
        lambda: nn.Conv(4, 3).init(key, jnp.ones((2, 8, 8, 1), jnp.uint8)),
        "uint8[2,8,8,1]",
        "x.astype(jnp.float32)",
    ),
    "an image without its channel axis": (
        lambda: nn.Conv(4, 3).init(key, jnp.ones((8, 8))),
        "needs 2 spatial axes and one of channels, [..., H, W, C], but is float32[8,8]",
        "x[..., None]",
    ),
    "text ids as floats": (
        lambda: nn.Embed(10, 4).init(key, x),
        "looks up integer ids, but was given float32[8,10]; convert them: ids.astype(jnp.int32)",
    ),
    "an id beyond the table": (
        lambda: nn.Embed(10, 4)(nn.Embed(10, 4).init(key, classes), classes + 8),
        "ids lie between 8 and 10, but the table has 10 rows, so ids go from 0 to 9",
    ),
    "the share to keep instead of the share to drop": (
        lambda: nn.Dropout(1.0),
        "the share to drop, at least 0 and below 1, but is 1.0; to keep 90 % give 0.1",
    ),
    "a class instead of a layer": (
        lambda: nn.Sequential(nn.Linear(3), nn.LayerNorm),
        "layers and functions one by one, but was given <class",
        "write LayerNorm(…)",
    ),
    "a list of layers": (
        lambda: nn.Sequential([nn.Linear(3), nn.Linear(4)]),
        "layers and functions one by one, but was given [Linear(3), Linear(4)]",
    ),
    "an optimizer that is a number": (
        lambda: jn.train.TrainState.create(params, 0.1, key),
        "tx must be an optimizer such as jn.optim.adam(1e-3), but is 0.1",
    ),
    "no learning rate": (lambda: jn.optim.adam(0.0), "positive", "but is 0.0"),
    "BatchNorm on one example": (
        lambda: nn.BatchNorm()(nn.BatchNorm().init(key, x), x[:1], key=key),
        "needs more than one value a feature, but the input is float32[1,10]; use a larger batch",
    ),
    "a list as an option": (lambda: nn.MLP([8, 8]), "is a list", "give a tuple instead"),
    "a weights file that is none": (
        lambda: jn.interop.safetensors.load(__file__),
        "test_mistakes.py is not a whole safetensors file",
        "was it cut short, or written in another format?",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_met_by_the_fix(name):
    mistake, *parts = MISTAKES[name]
    with pytest.raises(ValueError, match=re.escape(parts[0])) as caught:
        mistake()
    message = str(caught.value)
    assert all(part in message for part in parts), message
    assert len(message) < 700


def test_nan_checks_name_the_layer():
    broken = nn.layer(lambda params, x, *, key=None: jnp.log(x - 2))
    with jax.debug_nans(True), pytest.raises(FloatingPointError) as caught:
        nn.Sequential(nn.Dropout(0.1), broken)({}, np.ones((2, 2), np.float32))
    notes = "\n".join(caught.value.__notes__)
    assert "(top): Sequential(" in notes and "<lambda> on float32[2,2]" in notes
