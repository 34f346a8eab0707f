"""A sweep: learning rates, weight decays and seeds for a classifier of digits, as one program.

Prints a table of the settings and how sure the best one's seeds are as an ensemble; writes a
picture of test accuracy against the learning rate.
"""

import argparse
import time
from pathlib import Path

import jax
import matplotlib
import numpy as np

import jaxnet as jn
from jaxnet import nn

matplotlib.use("Agg")
from matplotlib import pyplot as plt

net = nn.Sequential(nn.Flatten(), nn.Linear(32), nn.relu, nn.Linear(10))


def loss_fn(params, batch, key):
    images, labels = batch
    logits = net(params, images, key=key)
    loss = jn.losses.softmax_cross_entropy(logits, labels)
    return loss, {"accuracy": jn.metrics.accuracy(logits, labels)}


def picture(result, path):
    """Mean test accuracy against the learning rate, with bars of one sample deviation."""
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for decay, accuracy in zip(
        result.axes["decay"], np.moveaxis(result.results["accuracy"], 1, 0), strict=True
    ):
        axes.errorbar(
            result.axes["lr"], 100 * accuracy.mean(-1), 100 * accuracy.std(-1, ddof=1),
            marker="o", capsize=3, label=f"weight decay {decay:g}",
        )  # fmt: skip
    axes.set(xscale="log", xlabel="learning rate of AdamW", ylabel="test accuracy, %")
    seeds = len(result.axes["seed"])
    axes.set_title(f"mean and standard deviation over {seeds} seeds")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def main(epochs, rates, seeds, folder):
    images, labels = jn.data.sets.digits()
    train, (images, labels) = jn.data.split((images, labels), (0.8, 0.2), stratify=labels)

    def run(lr, decay, seed):
        tx, key = jn.optim.adamw(lr, weight_decay=decay), jax.random.key(seed)
        state = jn.train.TrainState.create(net.init(key, images), tx, key)
        state, history = jn.train.pure_fit(
            loss_fn,
            tx,
            state,
            train,
            epochs=epochs,
            batch_size=32,
            validation_data=(images, labels),
        )
        return {"accuracy": history["val_accuracy"][-1], "params": state.params}

    began = time.perf_counter()
    result = jn.train.sweep(
        run, lr=np.geomspace(1e-4, 1, rates), decay=[1e-4, 1e-1], seed=range(seeds)
    )
    count, seconds = result.results["accuracy"].size, time.perf_counter() - began
    print(f"{count} trainings in {seconds:.1f} s, compilation included\n")
    print(result.table("accuracy"))

    config, best = result.best("accuracy")
    together = jn.train.classify(net, best["params"], images)
    right = together.mean.argmax(-1) == labels
    print(f"\nbest: learning rate {config['lr']:.2g}, weight decay {config['decay']:g}")
    print(f"test accuracy of its {seeds} seeds: {100 * best['accuracy'].mean():.2f} %")
    print(f"test accuracy of their mean: {100 * right.mean():.2f} %")
    sure, unsure = together.epistemic[right].mean(), together.epistemic[~right].mean()
    print(f"disagreement in nats: {sure:.3f} where it is right, {unsure:.3f} where it is wrong")
    plot = folder / "sweep.png"
    picture(result, plot)
    print(f"wrote {plot}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rates", type=int, default=9, help="how many learning rates")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--folder", type=Path, default=Path("."), help="where the picture goes")
    main(**vars(parser.parse_args()))
