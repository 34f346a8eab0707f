"""A training that is meant to be killed: digits with everything that has a state.

Run as a program it says each step that is behind it, and at the end what everything amounts to.
"""

import argparse

import jax

import jaxnet as jn
from jaxnet import nn

net = nn.Sequential(
    nn.RandomCrop(8, padding=1),
    nn.Conv(8, 3, padding="SAME"), nn.BatchNorm(), nn.relu, nn.MaxPool(2),
    nn.Flatten(), nn.Linear(32), nn.relu, nn.Dropout(0.3), nn.Linear(10),
)  # fmt: skip


def loss_fn(params, batch, key):
    images, labels = batch
    logits = net(params, images, key=key)
    loss = jn.losses.softmax_cross_entropy(logits, labels)
    return loss, {"accuracy": jn.metrics.accuracy(logits, labels)}


def train(folder, *, epochs=3, steps_per_dispatch=None, save_seconds=0.0, callbacks=(), **options):
    images, labels = jn.data.sets.digits()
    train, test = (images[:600], labels[:600]), (images[1500:], labels[1500:])
    tx = jn.optim.adam(1e-3)
    state = jn.train.TrainState.create(
        net.init(jax.random.key(0), images[:1]), tx, jax.random.key(1), ema=True
    )
    return jn.train.fit(
        loss_fn, tx, state, train, epochs=epochs, batch_size=32, accumulate=2, ema=0.9,
        validation_data=test, best="val_loss", folder=folder, save_seconds=save_seconds,
        steps_per_dispatch=steps_per_dispatch, callbacks=callbacks, progress=False, **options,
    )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--steps-per-dispatch", type=int)
    say = lambda event: print(event.step, flush=True)
    state, history = train(callbacks=[say], **vars(parser.parse_args()))
    print("digest", jn.train.digest(state), dict(history), flush=True)
