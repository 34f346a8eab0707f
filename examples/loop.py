"""The training loop by hand: what ``jn.train.fit`` does, with every line in view.

A small network learns scikit-learn's handwritten digits.
"""

import argparse

import jax
import numpy as np

import jaxnet as jn
from jaxnet import nn
from jaxnet.data import sets

net = nn.Sequential(nn.Flatten(), nn.Linear(128), nn.relu, nn.Dropout(0.3), nn.Linear(10))


def loss_fn(params, batch, key):
    images, labels = batch
    # With a key this is a training call, and dropout drops; without one it is inference.
    logits = net(params, images, key=key)
    loss = jn.losses.softmax_cross_entropy(logits, labels)
    return loss, {"accuracy": jn.metrics.accuracy(logits, labels)}


def batches(rng, data, size):
    """All examples once in a random order; those too few for a last batch of this size are left."""
    order = rng.permutation(len(data[0]))
    for start in range(0, len(order) - size + 1, size):
        rows = order[start : start + size]
        # Batches of one size: another size would be another program to compile.
        yield tuple(x[rows] for x in data)


def main(epochs, batch_size, seed):
    rng = np.random.default_rng(seed)
    images, labels = sets.digits()
    order = rng.permutation(len(images))
    test, train = ((images[rows], labels[rows]) for rows in np.split(order, [360]))

    tx = jn.optim.adam(2e-3)
    init_key, train_key = jax.random.split(jax.random.key(seed))
    params = net.init(init_key, images[:1])
    # The key never changes: each step folds the number of the step into it.
    state = jn.train.TrainState.create(params, tx, train_key)
    # Made once: a step that is made in the loop is compiled in each round of it.
    step = jn.train.train_step(loss_fn, tx)
    evaluate = jax.jit(lambda params, batch: loss_fn(params, batch, None))

    for epoch in range(epochs):
        losses = []
        for batch in batches(rng, train, batch_size):
            # The state that is given is consumed, so its name goes to the one that comes back.
            state, metrics = step(state, batch)
            # Kept as it is: to read a number here is to wait for it before the next step starts.
            losses.append(metrics["loss"])
        loss, metrics = evaluate(state.params, test)
        print(
            f"epoch {epoch + 1:2d}: loss {np.mean(losses):.4f}, "
            f"test loss {loss:.4f}, test accuracy {100 * metrics['accuracy']:.2f} %"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
