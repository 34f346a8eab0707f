"""Makes the golden files of Keras. Run by hand, in the repository's root, with

    python tests/golden/make_keras.py

in an environment with keras, tensorflow and safetensors; last run with keras 3.15.1, tensorflow
2.21.0, numpy 2.5.5 and safetensors 0.8.0.

classifier.safetensors, float32: ``Sequential(Linear(10), relu, Linear(2), softmax)`` (Keras's
layout is jaxnet's), categorical cross-entropy of the probabilities, Keras's Adam with its
defaults (rate 0.001, epsilon 1e-7); 10 epochs of batches of 32, 32, 32 and 4.
    x [100, 20], y [100, 2] one-hot; order [10, 100], the rows of each epoch in order
    initial/…, final/…       leaves 0/kernel, 0/bias, 2/kernel, 2/bias before and after
    losses [10, 4]           of each batch, before its update
    predictions [100, 2]     probabilities after training; accuracy [], the share that is right

optim.safetensors, float64: 20 steps along given gradients; see gradients.py.
    start [7], grads [20, 7]
    keras_adam, keras_adamw [20, 7]   parameters after each step, rate 0.01; right to about 1e-5
    keras_adam_exact [20, 7]          the same with betas 1 - 2^-3 and 1 - 2^-10
"""

import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import gradients
import keras
import numpy as np
from safetensors.numpy import save_file

FOLDER = Path(__file__).parent


def classifier() -> dict[str, np.ndarray]:
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, 100)
    x = (rng.standard_normal((100, 20)) + 0.5 * classes[:, None]).astype(np.float32)
    y = np.eye(2, dtype=np.float32)[classes]
    net = keras.Sequential([
        keras.Input((20,)),
        keras.layers.Dense(10, activation="relu"),
        keras.layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    net.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    made = {"x": x, "y": y} | weights(net, "initial")
    order = np.stack([rng.permutation(100) for _ in range(10)])
    made["order"] = order.astype(np.int32)
    losses = [[step(net, x[rows], y[rows]) for rows in np.split(o, [32, 64, 96])] for o in order]
    made |= {"losses": np.array(losses, np.float32)} | weights(net, "final")
    made["predictions"] = net.predict(x, verbose=0)
    accuracy = net.evaluate(x, y, verbose=0, return_dict=True)["accuracy"]
    return made | {"accuracy": np.array(accuracy, np.float32)}


def step(net: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    net.reset_metrics()  # the loss reported is a mean over batches since then
    return float(net.train_on_batch(x, y, return_dict=True)["loss"])


def weights(net: keras.Model, prefix: str) -> dict[str, np.ndarray]:
    """Both layers' leaves, under the places they have where activations count as layers."""
    return {
        f"{prefix}/{2 * i}/{name}": np.array(leaf)
        for i, layer in enumerate(net.layers)
        for name, leaf in zip(("kernel", "bias"), layer.get_weights(), strict=True)
    }


def optimizers(start: np.ndarray, grads: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters after each step. Float64 also for Keras's own scalars, such as the rate."""
    keras.config.set_floatx("float64")
    # In its bias correction Keras rounds the betas to float32 all the same, which changes
    # 1 - 0.999 by 1e-5 of it; 7/8 and 1023/1024 need no rounding.
    exact = {"beta_1": 1 - 2**-3, "beta_2": 1 - 2**-10}
    rules = {
        "keras_adam": keras.optimizers.Adam(0.01),
        "keras_adam_exact": keras.optimizers.Adam(0.01, **exact),
        "keras_adamw": keras.optimizers.AdamW(0.01),
    }
    return {name: follow(rule, start, grads) for name, rule in rules.items()}


def follow(rule: keras.optimizers.Optimizer, start: np.ndarray, grads: np.ndarray) -> np.ndarray:
    leaf, path = keras.Variable(start, dtype="float64"), []
    for grad in grads:
        rule.apply([keras.ops.convert_to_tensor(grad)], [leaf])
        path.append(np.array(keras.ops.convert_to_numpy(leaf)))
    return np.stack(path)


def save(name: str, arrays: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    path = FOLDER / f"{name}.safetensors"
    save_file(arrays, path, metadata)
    path.chmod(0o644)
    print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size} bytes")


def main() -> None:
    save("classifier", classifier())
    start, grads = gradients.problem()
    save("optim", {"start": start, "grads": grads} | optimizers(start, grads))


if __name__ == "__main__":
    main()
