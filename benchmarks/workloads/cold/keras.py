"""The programs in Keras; the variant is its backend."""

import json
import sys

import keras
import numpy as np

rng = np.random.default_rng(0)
settings = json.loads(sys.argv[1])

if settings["program"] == "regression":
    x, y = rng.random((32, 10), np.float32), rng.random((32, 1), np.float32)
    model = keras.Sequential([keras.layers.Dense(20, activation="relu"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    loss = model.train_on_batch(x, y)
else:
    x = rng.random((100, 20), np.float32)
    y = np.eye(2, dtype=np.float32)[rng.integers(2, size=100)]
    model = keras.Sequential(
        [keras.layers.Dense(10, activation="relu"), keras.layers.Dense(2, activation="softmax")]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    loss = model.fit(x, y, epochs=10, batch_size=32, verbose=0).history["loss"][-1]

assert np.isfinite(loss)
print([])
