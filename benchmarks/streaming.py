"""What it costs to train on data that does not fit in memory: a mapped file of 4 GB.

    python benchmarks/streaming.py [--gigabytes 4] [--steps 3000] [--folder FOLDER]

The network of examples/digits.py is trained on a small set in memory, on the file through
``data.Batches``, and on the same file by indexing its map. Each is a process of its own.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

import jaxnet as jn

ROOT = Path(__file__).parents[1]
BATCH = 64


def write(folder: Path, gigabytes: float) -> None:
    """Digits over and over: images ``[n, 8, 8, 1]`` and labels ``[n]`` as two files."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels = np.tile(pixels.astype(np.float32).reshape(-1, 8, 8, 1) / 16, (100, 1, 1, 1))
    labels = np.tile(labels.astype(np.int32), 100)
    size = int(gigabytes * 2**30 / pixels[0].nbytes)
    for name, part in (("images", pixels), ("labels", labels)):
        header = {"descr": part.dtype.str, "fortran_order": False, "shape": (size, *part.shape[1:])}
        with (folder / f"{name}.npy").open("wb") as file:
            np.lib.format.write_array_header_2_0(file, header)
            for start in range(0, size, len(part)):
                part[: size - start].tofile(file)
            os.fsync(file.fileno())  # or the disk would still be busy with it


def resident() -> float:
    """The resident memory of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def train(source: str, folder: Path, steps: int) -> None:
    """Print the most memory held while training, the share of time spent waiting, and the speed."""
    sys.path.append(str(ROOT))
    from examples import digits

    data: Any = digits.load()[0]
    if source != "memory":
        # In this mode a map is a copy, whose rows cannot be read from the file.
        mode = "c" if source == "map" else "r"
        data = tuple(np.load(folder / f"{name}.npy", mode) for name in ("images", "labels"))
    tx = optax.adamw(3e-3)
    params = digits.net.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 8, 8, 1), np.float32))
    state = jn.train.TrainState.create(params, tx, jax.random.key(1))
    step = jn.train.train_step(digits.loss_fn, tx)
    batches = jn.data.Batches(data, BATCH, remainder="drop")
    state, metrics = step(state, batches[0])  # compiles
    endless = itertools.chain.from_iterable(batches.epoch(epoch) for epoch in itertools.count(1))
    most, began = 0.0, time.perf_counter()
    with jn.data.prefetch(itertools.islice(endless, steps)) as ready:
        for index, batch in enumerate(ready):
            # Were the steps only sent off, the loop would wait for data while the device is busy.
            state, metrics = jax.block_until_ready(step(state, batch))
            if index % 10 == 0:
                most = max(most, resident())
        seconds = time.perf_counter() - began
        print(most, 100 * ready.waited / seconds, steps / seconds, float(metrics["loss"]))


def main(gigabytes: float, steps: int, folder: Path | None) -> None:
    """Write the files, train on each source, and print a line for each."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        write(Path(scratch), gigabytes)
        print(f"{'source':8} {'resident':>10} {'waiting':>9} {'speed':>14} {'loss':>7}")
        for source in ("memory", "file", "map"):
            command = [sys.executable, __file__, "--run", source]
            command += ["--folder", scratch, "--steps", str(steps)]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            memory, waiting, speed, loss = map(float, out.split())
            print(f"{source:8} {memory:7.0f} MB {waiting:7.2f} % {speed:8.0f} steps/s {loss:7.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--folder", type=Path, help="where the files are written, and removed")
    parser.add_argument("--run", choices=("memory", "file", "map"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        train(options.run, options.folder, options.steps)
    else:
        main(options.gigabytes, options.steps, options.folder)
