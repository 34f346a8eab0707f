"""From PyTorch's and Keras's initial weights and batches, training follows theirs."""

from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from safetensors.numpy import load_file

import jaxnet as jn
from jaxnet import nn
from jaxnet.train import TrainState, fit, predict, train_step

GOLDEN = Path(__file__).parents[1] / "golden"
key = jax.random.key(0)


def golden(name):
    return jn.tree.unflatten(load_file(GOLDEN / f"{name}.safetensors"))


def test_regression_follows_pytorch():
    torch = golden("regression")
    net = nn.Sequential(nn.Linear(20), nn.sigmoid, nn.Linear(1))
    tx = jn.optim.sgd(0.01)

    def loss_fn(params, batch, key):
        x, y = batch
        return jn.losses.mean_squared_error(net(params, x, key=key), y)

    state = TrainState.create(torch["initial"], tx, key)
    step, losses = train_step(loss_fn, tx), []
    for rows in torch["indices"]:
        state, metrics = step(state, (torch["x"][rows], torch["y"][rows]))
        losses.append(metrics["loss"])
    assert len(losses) == 200
    np.testing.assert_allclose(losses, torch["losses"], rtol=1e-5)
    chex.assert_trees_all_close(state.params, torch["final"], rtol=1e-4, atol=1e-6)


def classifier():
    net = nn.Sequential(nn.Linear(10), nn.relu, nn.Linear(2), nn.softmax)

    def loss_fn(params, batch, key):
        x, y = batch
        probabilities = net(params, x, key=key)
        loss = jn.losses.categorical_cross_entropy(probabilities, y)
        return loss, {"accuracy": jn.metrics.accuracy(probabilities, y)}

    return net, loss_fn, jn.optim.adam(1e-3, preset="keras")


def test_classifier_follows_keras():
    keras = golden("classifier")
    net, loss_fn, tx = classifier()
    state = TrainState.create(keras["initial"], tx, key)
    step, losses = train_step(loss_fn, tx), []
    for order in keras["order"]:
        for rows in np.split(order, [32, 64, 96]):
            state, metrics = step(state, (keras["x"][rows], keras["y"][rows]))
            losses.append(metrics["loss"])
    np.testing.assert_allclose(losses, keras["losses"].ravel(), rtol=1e-4)
    chex.assert_trees_all_close(state.params, keras["final"], rtol=1e-3, atol=1e-5)
    predictions = predict(net, state.params, keras["x"])
    np.testing.assert_allclose(predictions, keras["predictions"], atol=1e-4)
    accuracy = jn.metrics.accuracy(predictions, keras["y"])
    assert float(accuracy) == pytest.approx(float(keras["accuracy"]))


def test_compiled_epochs_follow_keras_too():
    keras = golden("classifier")
    _, loss_fn, tx = classifier()
    state = TrainState.create(keras["initial"], tx, key)
    for order, losses in zip(keras["order"], keras["losses"], strict=True):
        data = keras["x"][order], keras["y"][order]
        state, history = fit(loss_fn, tx, state, data, epochs=1, shuffle=False, progress=False)
        assert history["loss"][0] == pytest.approx(losses @ [0.32, 0.32, 0.32, 0.04], rel=1e-4)
    assert int(state.step) == 40


def dense():
    return nn.Sequential(nn.BatchNorm(), nn.Linear(8), nn.BatchNorm(), nn.relu, nn.Linear(3))


def image():
    return nn.Sequential(nn.Conv(4, 3), nn.BatchNorm(), nn.relu, nn.Flatten(), nn.Linear(3))


def block():
    return nn.Sequential(nn.Linear(6), nn.BatchNorm(), nn.relu)


def repeated():
    return nn.Sequential(nn.Repeat(block(), 3, remat=True), nn.Linear(3))


def restack(params):
    """PyTorch's blocks one after the other, as leaves with a leading axis."""
    blocks = [{"0": params[str(3 * i)], "1": params[str(3 * i + 1)]} for i in range(3)]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *blocks)
    return {"0": stacked, "1": params["9"]}


NETS = {"dense": dense, "shifted": dense, "image": image, "repeated": repeated}


def batch_norm_net(name):
    torch, net = golden("batchnorm")[name], NETS[name]()
    if name == "repeated":
        torch |= {part: restack(torch[part]) for part in ("initial", "final")}

    def loss_fn(params, batch, key):
        x, y = batch
        return jn.losses.softmax_cross_entropy(net(params, x, key=key), y)

    return torch, net, loss_fn, jn.optim.sgd(0.1)


@pytest.mark.parametrize("sharded", [False, True], ids=["one device", "four devices"])
@pytest.mark.parametrize("name", NETS)
def test_running_statistics_follow_pytorch(name, sharded):
    torch, net, loss_fn, tx = batch_norm_net(name)
    state = TrainState.create(torch["initial"], tx, key)
    place = jnp.asarray
    if sharded:
        mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
        state = jax.device_put(state, NamedSharding(mesh, P()))
        place = lambda x: jax.device_put(x, NamedSharding(mesh, P("data")))
    step, losses, seen = train_step(loss_fn, tx), [], []
    for rows in torch["indices"]:
        state, metrics = step(state, (place(torch["x"][rows]), place(torch["y"][rows])))
        losses.append(metrics["loss"])
        seen.append(jax.device_get(jn.tree.flatten(state.params)))
    np.testing.assert_allclose(losses, torch["losses"], rtol=2e-5)
    assert len(seen) == 20
    flat = jn.tree.flatten(torch["final"])
    statistics = [path for path in flat if "stats" in path]
    assert statistics
    for path in statistics:
        np.testing.assert_allclose(seen[-1][path], flat[path], rtol=1e-5, atol=1e-5)
    if name != "repeated":
        for path, after_each in jn.tree.flatten(torch["stats"]).items():
            ours = [step[path] for step in seen]
            np.testing.assert_allclose(ours, after_each, rtol=1e-5, atol=1e-5)
    chex.assert_trees_all_close(state.params, torch["final"], rtol=1e-4, atol=1e-5)
    predictions = predict(net, jax.device_get(state.params), torch["x"])
    np.testing.assert_allclose(predictions, torch["predictions"], rtol=1e-4, atol=1e-4)


def test_microbatches_average_the_statistics_rule():
    """Four parts: the running mean moves towards the mean of the parts' means."""
    bn, momentum = nn.BatchNorm(), 0.1
    x = np.asarray(jax.random.normal(key, (16, 3)) * 2 + 5)
    tx = jn.optim.sgd(0.0 + 1e-3)
    loss_fn = lambda params, x, key: jnp.square(bn(params, x, key=key)).mean()
    state = TrainState.create(bn.init(key, x), tx, key)
    mean, var = np.zeros(3), np.ones(3)
    step = train_step(loss_fn, tx, accumulate=4)
    for _ in range(20):
        state, _ = step(state, x)
        parts = x.astype(np.float64).reshape(4, 4, 3)
        mean = (1 - momentum) * mean + momentum * parts.mean(1).mean(0)
        var = (1 - momentum) * var + momentum * parts.var(1, ddof=1).mean(0)
    np.testing.assert_allclose(state.params["stats"]["mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(state.params["stats"]["var"], var, rtol=1e-5)


def test_shard_map_with_an_axis_name_equals_the_whole_batch():
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    x = jax.random.normal(key, (16, 3)) * 2 + 5
    local = nn.BatchNorm(axis_name="data")
    params = nn.BatchNorm().init(key, x)

    def pull(bn, params, x):
        return jax.grad(lambda params: jnp.square(bn(params, x, key=key)).mean())(params)

    def on_one_device(params, x):
        grads = pull(local, params, x)
        return jax.lax.pmean(grads, "data")

    whole = pull(nn.BatchNorm(), params, x)
    parts = jax.shard_map(
        on_one_device, mesh=mesh, in_specs=(P(), P("data")), out_specs=P(), check_vma=False
    )(params, x)
    chex.assert_trees_all_close(parts, whole, rtol=1e-4, atol=1e-6)
