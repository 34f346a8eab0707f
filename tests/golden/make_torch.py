"""Makes the golden files of whole trainings. Run by hand, in the repository's root, with

    python tests/golden/make_torch.py

in an environment with torch and safetensors; last run with torch 2.13.0, numpy 2.5.5 and
safetensors 0.8.0. All arrays have jaxnet's layout (features last, kernels ``[..., in, out]``) and
paths (``jaxnet.tree.unflatten`` makes nested dicts of them).

regression.safetensors, float32: ``Sequential(Linear(20), sigmoid, Linear(1))``, mean squared
error, SGD with rate 0.01.
    x [64, 10], y [64, 1]; indices [200, 32], the rows of each step's batch
    initial/…, final/…       leaves 0/kernel, 0/bias, 2/kernel, 2/bias before and after
    losses [200]             of each step's batch, before that step's update

batchnorm.safetensors, float32: four classifiers, softmax cross-entropy, SGD with rate 0.1;
``dense`` and ``shifted`` (whose inputs have mean 100 and deviation 1) are
``Sequential(BatchNorm(), Linear(8), BatchNorm(), relu, Linear(3))``, ``repeated`` is three times
``Linear(6), BatchNorm(), relu`` one after the other and ``Linear(3)``, and ``image`` is
``Sequential(Conv(4, 3), BatchNorm(), relu, Flatten(), Linear(3))``, without padding.
    <net>/x [48, …], <net>/y [48] of 3 classes; <net>/indices [20, 16]
    <net>/initial/…, <net>/final/…   all leaves, stats/mean and stats/var among them
    <net>/stats/<i>/stats/mean, …/var [20, D]   running statistics after each step
    <net>/losses [20]                before each update, with batch statistics
    <net>/predictions [48, 3]        logits after training, with running statistics

optimizers.safetensors, float64: metadata ``cases`` (JSON) has each case's call and options.
    start [4, 3], grads [20, 4, 3]
    <case>/weights [20, 4, 3]   after each step along these gradients (``lbfgs``: those of
                                ``sum(k x^4 / 4 + x^2 / 2)`` with k from 1 to 12)
    <case>/averages             of asgd
    <case>/rates [60]           of a schedule from 0.1, one a step
"""

from pathlib import Path

import numpy as np
import torch
import torch_optimizers
import torch_training
from safetensors.numpy import save_file

FOLDER = Path(__file__).parent


def save(name: str, arrays: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    path = FOLDER / f"{name}.safetensors"
    save_file(arrays, path, metadata)
    path.chmod(0o644)
    print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size} bytes")


def main() -> None:
    torch.set_num_threads(1)  # sums in one order on any machine
    save("regression", torch_training.regression())
    save("batchnorm", torch_training.batchnorm())
    save("optimizers", *torch_optimizers.arrays())


if __name__ == "__main__":
    main()
