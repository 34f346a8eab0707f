"""A run that can be killed at any moment: start the same command again, and it goes on.

    python examples/resume.py --folder runs/digits        # kill it, even with kill -9
    python examples/resume.py --folder runs/digits        # goes on from its last checkpoint

However often it is killed, the digest printed at the end is the same: parameters, optimizer state,
statistics and averages agree bit for bit with those of a run that was never interrupted.
"""

import argparse
from pathlib import Path

import jax

import jaxnet as jn
from jaxnet import nn

net = nn.Sequential(
    nn.RandomCrop(8, padding=1),
    nn.Conv(32, 3, padding="SAME"), nn.BatchNorm(), nn.relu, nn.MaxPool(2), nn.Dropout(0.2),
    nn.Conv(64, 3, padding="SAME"), nn.BatchNorm(), nn.relu, nn.MaxPool(2), nn.Dropout(0.2),
    nn.Flatten(), nn.Linear(64), nn.relu, nn.Linear(10),
)  # fmt: skip


def loss_fn(params, batch, key):
    images, labels = batch
    logits = net(params, images, key=key)
    loss = jn.losses.softmax_cross_entropy(logits, labels)
    return loss, {"accuracy": jn.metrics.accuracy(logits, labels)}


def main(epochs, folder, lr):
    images, labels = jn.data.sets.digits()
    train, test = jn.data.split((images, labels), (0.8, 0.2), stratify=labels)
    tx = jn.optim.adamw(lr)
    params = net.init(jax.random.key(0), images[:1])
    state = jn.train.TrainState.create(params, tx, jax.random.key(1), ema=True, rate=True)
    callbacks = [
        jn.train.csv_log(folder / "log.csv"),
        jn.train.reduce_on_plateau("val_loss", patience=5, factor=0.3),
        jn.train.early_stopping("val_loss", patience=15),
    ]
    state, history = jn.train.fit(
        loss_fn, tx, state, train, epochs=epochs, batch_size=64, ema=0.99,
        validation_data=test, best="val_loss", callbacks=callbacks,
        folder=folder, config={"lr": lr}, save_seconds=1.0,
    )  # fmt: skip
    epoch, loss = history.best("val_loss")
    accuracy = history["val_accuracy"][epoch - 1]
    print(f"best epoch {epoch} of {len(history['loss'])}: ", end="")
    print(f"validation loss {loss:.4f}, accuracy {100 * accuracy:.2f} %")
    history.plot(folder / "history.png")
    print(f"wrote {folder}\ndigest {jn.train.digest(state)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--folder", type=Path, default=Path("runs/digits"))
    parser.add_argument("--lr", type=float, default=3e-3)
    main(**vars(parser.parse_args()))
