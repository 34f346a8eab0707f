"""Writes a small checkpoint with the release at hand, and what to expect of it when it is read.

    python tests/train/samples/make.py

Run once for a release whose format or whose paths are new; what it wrote is then never changed.
"""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxnet as jn
from jaxnet.core import tree
from jaxnet.train.checkpoint import Checkpoints
from jaxnet.train.snapshot import digest


def trained():
    net = jn.nn.Sequential(jn.nn.Linear(3), jn.nn.BatchNorm(), jn.nn.relu, jn.nn.Linear(1))
    tx = optax.adam(0.01)
    x = jax.random.normal(jax.random.key(0), (8, 2))
    state = jn.train.TrainState.create(net.init(jax.random.key(1), x), tx, jax.random.key(2))
    step = jn.train.train_step(lambda p, x, key: jnp.square(net(p, x, key=key)).mean(), tx)
    for _ in range(3):
        state, _ = step(state, x)
    return state


def main():
    folder = Path(__file__).parent / jn.__version__
    if folder.exists():
        raise SystemExit(f"{folder} is there already, and must stay as it is")
    names = ("bool", "int4", "int8", "uint64", "float16", "bfloat16", "float64")
    values = {
        "state": trained(),
        "dtypes": {name: np.array([[0, 1, 2]]).astype(jnp.dtype(name)) for name in names}
        | {"complex": np.array(1 / 3 - 2j), "float8_e4m3fn": np.zeros((0, 2), jnp.float8_e4m3fn)},
        "keys": jax.random.split(jax.random.key(3, impl="rbg"), 2),
    }
    info = {"history": {"val_loss": [math.inf, 1 / 3], "loss": [math.nan, 5e-324]}, "epoch": 2}
    metrics = {"val_loss": 1 / 3}
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(3, values, info=info, metrics=metrics)
    leaves = {}
    for path, leaf in tree.flatten(values).items():
        key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        data = np.asarray(jax.random.key_data(leaf) if key else leaf)
        leaves[path] = {"dtype": str(leaf.dtype), "bytes": data.tobytes().hex()}
    expected = {"step": 3, "info": info, "metrics": metrics}
    expected |= {"digest": digest(values), "leaves": leaves}
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
