"""Handwritten digits: a small convolutional network on scikit-learn's 1,797 real scans.

Prints the model, its training and its results by class; writes the weights and one picture.
"""

import argparse
from pathlib import Path

import jax
import matplotlib
import numpy as np
import optax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import jaxnet as jn
from jaxnet import nn

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def block(features):
    return nn.Sequential(nn.Conv(features, 3, padding="SAME"), nn.BatchNorm(), nn.relu)


net = nn.Sequential(
    block(32), block(32), nn.MaxPool(2), nn.Dropout(0.2),
    block(64), block(64), nn.MaxPool(2), nn.Dropout(0.2),
    nn.Flatten(), nn.Linear(128), nn.relu, nn.Dropout(0.5), nn.Linear(10),
)  # fmt: skip


def loss_fn(params, batch, key):
    images, labels = batch
    logits = net(params, images, key=key)
    loss = jn.losses.softmax_cross_entropy(logits, labels)
    return loss, {"accuracy": jn.metrics.accuracy(logits, labels)}


def load():
    """Images [n, 8, 8, 1] between 0 and 1 and labels [n]: a training part and a fifth to test."""
    pixels, labels = load_digits(return_X_y=True)
    images = pixels.reshape(-1, 8, 8, 1).astype(np.float32) / 16
    labels = labels.astype(np.int32)
    parts = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=0)
    train_x, test_x, train_y, test_y = parts
    return (train_x, train_y), (test_x, test_y)


def report(matrix):
    """A line for each class, from counts by true class (rows) and predicted class (columns)."""
    precision, recall, f1 = jn.metrics.precision_recall_f1(matrix)
    print("\nclass  precision  recall     f1  examples")
    for digit, row in enumerate(zip(precision, recall, f1, matrix.sum(1), strict=True)):
        print("{:5d}  {:9.3f}  {:6.3f}  {:5.3f}  {:8.0f}".format(digit, *row))


def picture(history, matrix, images, labels, logits, path):
    """Learning curves, the confusion matrix, and the eight costliest mistakes."""
    figure, axes = plt.subplot_mosaic(
        "LLLLLCCC;01234567", figsize=(12, 7.5), layout="constrained", height_ratios=(2.5, 1)
    )
    curves, counts = axes["L"], axes["C"]
    epochs = np.arange(1, len(history["loss"]) + 1)
    curves.semilogy(epochs, history["loss"], label="training, with dropout")
    curves.semilogy(epochs, history["val_loss"], label="test")
    curves.set(title="learning curves", xlabel="epoch", ylabel="cross-entropy")
    curves.grid(alpha=0.3)
    curves.legend()

    counts.imshow(np.log1p(matrix), cmap="Blues")
    for (true, predicted), count in np.ndenumerate(matrix):
        if count:
            colour = "white" if count > 10 else "black"
            counts.text(predicted, true, f"{count:.0f}", ha="center", va="center", color=colour)
    counts.set(title="confusion matrix", xlabel="predicted", ylabel="true")
    counts.set(xticks=range(10), yticks=range(10))

    costs = -np.asarray(jax.nn.log_softmax(logits))[np.arange(len(labels)), labels]
    guesses = np.asarray(logits.argmax(-1))
    for place, i in enumerate(np.argsort(-costs)[:8]):
        worst = axes[str(place)]
        worst.imshow(images[i, ..., 0], cmap="gray_r")
        colour = "black" if guesses[i] == labels[i] else "firebrick"
        title = f"true {labels[i]}, predicted {guesses[i]}\ncross-entropy {costs[i]:.2f}"
        worst.set_title(title, fontsize=9, color=colour)
        worst.axis("off")
    figure.savefig(path, dpi=120)


def main(epochs, folder):
    train, (images, labels) = load()
    print(jn.analysis.summary(net, train[0][:1]), "\n")
    steps = epochs * -(-len(train[0]) // 64)
    tx = optax.adamw(optax.cosine_decay_schedule(3e-3, steps), weight_decay=1e-2)
    state = jn.train.TrainState.create(
        net.init(jax.random.key(0), train[0][:1]), tx, jax.random.key(1)
    )
    state, history = jn.train.fit(
        loss_fn, tx, state, train, epochs=epochs, batch_size=64, validation_data=(images, labels)
    )

    logits = jn.train.predict(net, state.params, images)
    confusion = jn.metrics.confusion_matrix(10)
    matrix = np.asarray(confusion.compute(confusion.update(confusion.init(), logits, labels)))
    report(matrix)
    print(f"\ntest accuracy {100 * np.trace(matrix) / matrix.sum():.2f} %")

    weights, plot = folder / "digits.safetensors", folder / "digits.png"
    jn.interop.safetensors.save(weights, state.params)
    picture(history, matrix, images, labels, logits, plot)
    print(f"wrote {weights} and {plot}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--folder", type=Path, default=Path("."), help="where the results go")
    main(**vars(parser.parse_args()))
