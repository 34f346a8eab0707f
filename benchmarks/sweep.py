"""How long 64 trainings on digits take as one program, and as 64 runs one after the other.

    python benchmarks/sweep.py [rounds] [devices]

Eight learning rates by eight seeds of a small network. The runs one after the other are calls of
``fit``, and calls of one program that holds a whole training; the sweep is one program that is
called once, here with the members divided between 2 CPU devices (threads of XLA) unless another
number is given. They take turns, and are timed warm; seconds to compile are printed beside.
"""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

import jaxnet as jn
from jaxnet import nn
from jaxnet.train.pure import pure_fit

EPOCHS, TRAIN = 20, 1437
CASES = [("sgd", 16, 8), ("sgd", 16, 16), ("adam", 16, 16), ("sgd", 32, 32), ("adam", 32, 32)]
RATES = {
    name: np.geomspace(*ends, 8).astype(np.float32)
    for name, ends in {"sgd": (3e-3, 0.3), "adam": (1e-4, 1e-2)}.items()
}


def training(optimizer: str, hidden: int, batch_size: int) -> tuple[Callable[..., Any], ...]:
    """Of learning rate and seed: a pure function, the accuracy and last loss; and ``fit``."""
    pixels, labels = load_digits(return_X_y=True)
    x, y = jnp.asarray(pixels / 16, jnp.float32), jnp.asarray(labels, jnp.int32)
    net = nn.Sequential(nn.Linear(hidden), nn.relu, nn.Linear(10))

    def loss_fn(params, batch, key):
        logits = net(params, batch[0], key=key)
        return jn.losses.softmax_cross_entropy(logits, batch[1])

    data = x[:TRAIN], y[:TRAIN]
    optimizers = {lr: getattr(jn.optim, optimizer)(float(lr)) for lr in RATES[optimizer]}

    def fitted(lr, seed):
        tx, key = optimizers[lr], jax.random.key(seed)
        state = jn.train.TrainState.create(net.init(key, x[:1]), tx, key)
        batches = jn.data.Batches(data, batch_size, remainder="drop")
        return jn.train.fit(loss_fn, tx, state, batches, epochs=EPOCHS, progress=False)[0].params

    def run(lr, seed):
        tx, key = getattr(jn.optim, optimizer)(lr), jax.random.key(seed)
        state = jn.train.TrainState.create(net.init(key, x[:1]), tx, key)
        state, history = pure_fit(loss_fn, tx, state, data, epochs=EPOCHS, batch_size=batch_size)
        logits = net(state.params, x[TRAIN:])
        accuracy = jn.metrics.accuracy(logits, y[TRAIN:])
        return {"accuracy": accuracy, "loss": history["loss"][-1]}

    return run, fitted


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, once it is there, and the seconds that it took."""
    began = time.perf_counter()
    result = jax.block_until_ready(call())
    return result, time.perf_counter() - began


def compare(optimizer: str, hidden: int, batch_size: int, rounds: int, devices: int) -> None:
    """Print the median and quartiles of both, their ratio, and how far the results are apart."""
    run, fitted = training(optimizer, hidden, batch_size)
    rates = np.repeat(RATES[optimizer], 8)
    seeds = np.tile(np.arange(8, dtype=np.int32), 8)
    pairs = list(zip(rates, seeds, strict=True))
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:devices]), ("members",))
    spec = jax.sharding.PartitionSpec("members")
    mapped = jax.shard_map(jax.vmap(run), mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
    single, to_single = timed(lambda: jax.jit(run).lower(*pairs[0]).compile())
    together, to_together = timed(lambda: jax.jit(mapped).lower(rates, seeds).compile())

    times: dict[str, list[float]] = {"fit": [], "one by one": [], "sweep": []}
    results: dict[str, Any] = {}
    for turn in range(rounds + 1):
        for name, call in (
            ("fit", lambda: [fitted(*pair) for pair in pairs]),
            ("one by one", lambda: [single(*pair) for pair in pairs]),
            ("sweep", lambda: together(rates, seeds)),
        ):
            results[name], seconds = timed(call)
            if turn:  # the first turn is a warm-up
                times[name].append(seconds)

    print(f"\n{optimizer}, 64-{hidden}-10, batches of {batch_size}, {EPOCHS} epochs")
    print(f"compiled in {to_single:.1f} s one by one, {to_together:.1f} s together")
    for name, own in times.items():
        low, middle, high = statistics.quantiles(own, n=4)
        ratios = [a / b for a, b in zip(own, times["sweep"], strict=True)]
        least, ratio, most = statistics.quantiles(ratios, n=4)
        line = f"{name:10}  {middle:.3f} s ({low:.3f} to {high:.3f})"
        print(f"{line}, of the sweep's time {ratio:.1f} ({least:.1f} to {most:.1f})")
    for name in ("accuracy", "loss"):
        singles = np.array([result[name] for result in results["one by one"]])
        apart = np.abs(singles - np.asarray(results["sweep"][name]))
        far = (apart > 1e-4).sum()
        print(f"{name} apart: median {np.median(apart):.0e}, by more than 1e-4 in {far} of 64")
    print(f"best mean accuracy {results['sweep']['accuracy'].reshape(8, 8).mean(1).max():.3f}")


if __name__ == "__main__":
    rounds, devices = (int(x) for x in [*sys.argv[1:], *["9", "2"][len(sys.argv) - 1 :]])
    jax.config.update("jax_num_cpu_devices", max(devices, 1))
    for case in CASES:
        compare(*case, rounds, devices)
