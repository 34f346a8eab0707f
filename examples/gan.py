"""A generative adversarial network that draws handwritten digits (arXiv:1406.2661).

Two players, each with a state of its own: a player's loss finds the other's parameters in its
batch, so that its gradient leaves them alone. An epoch of both is one compiled program.
A classifier of real digits says how good the drawn ones are. Writes one picture.
"""

import argparse
import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np

import jaxnet as jn
from jaxnet import nn
from jaxnet.data import sets

matplotlib.use("Agg")
from matplotlib import pyplot as plt

NOISE = 64
leaky = functools.partial(nn.leaky_relu, slope=0.2)

generator = nn.Sequential(
    nn.Linear(256), nn.BatchNorm(), nn.relu,
    nn.Linear(256), nn.BatchNorm(), nn.relu,
    nn.Linear(64), nn.sigmoid, nn.Unflatten((8, 8, 1)),
)  # fmt: skip
discriminator = nn.Sequential(
    nn.Flatten(), nn.Linear(256), leaky, nn.Dropout(0.3),
    nn.Linear(256), leaky, nn.Dropout(0.3), nn.Linear(1),
)  # fmt: skip
features = nn.Sequential(nn.Flatten(), nn.Linear(128), nn.relu, nn.Dropout(0.3), nn.Linear(32))
classifier = nn.Sequential(features, nn.relu, nn.Linear(10))


def draw(params, count, noise_key, key=None):
    """Images ``[count, 8, 8, 1]``, each from a noise of its own; a key makes it a training call."""
    return generator(params, jax.random.normal(noise_key, (count, NOISE)), key=key)


def discriminator_loss(params, batch, key):
    real, generator_params = batch
    noise_key, key, real_key, drawn_key = jax.random.split(key, 4)
    drawn = draw(generator_params, len(real), noise_key, key)
    real_scores = discriminator(params, real, key=real_key)
    drawn_scores = discriminator(params, drawn, key=drawn_key)
    loss = jn.losses.gan_discriminator(real_scores, drawn_scores)
    told = ((real_scores > 0).mean() + (drawn_scores < 0).mean()) / 2
    return loss, {"told apart": told}


def generator_loss(params, batch, key):
    real, discriminator_params = batch
    noise_key, key, scores_key = jax.random.split(key, 3)
    drawn = draw(params, len(real), noise_key, key)
    # The non-saturating form: it has a slope even where every drawing is seen through.
    return jn.losses.gan_generator(discriminator(discriminator_params, drawn, key=scores_key))


def classifier_loss(params, batch, key):
    images, labels = batch
    return jn.losses.softmax_cross_entropy(classifier(params, images, key=key), labels)


def train(images, epochs, batch_size, rate, rng, key):
    """The generator's parameters after the game, and each epoch's mean metrics."""
    tx = jn.optim.adam(rate, b1=0.5)
    keys = jax.random.split(key, 4)
    create = jn.train.TrainState.create
    players = (
        create(discriminator.init(keys[0], images[:1]), tx, keys[1]),
        create(generator.init(keys[2], jnp.zeros((1, NOISE))), tx, keys[3]),
    )
    tell = jn.train.train_step(discriminator_loss, tx)
    fool = jn.train.train_step(generator_loss, tx)

    @functools.partial(jax.jit, donate_argnums=0)
    def epoch(players, images, order):
        def turn(players, rows):
            judge, forger = players
            judge, judged = tell(judge, (images[rows], forger.params))
            forger, forged = fool(forger, (images[rows], judge.params))
            return (judge, forger), {**judged, "generator": forged["loss"]}

        players, metrics = jax.lax.scan(turn, players, order)
        return players, jax.tree.map(jnp.mean, metrics)

    images, history = jnp.asarray(images), []
    for number in range(epochs):
        order = rng.permutation(len(images))[: len(images) // batch_size * batch_size]
        players, metrics = epoch(players, images, order.reshape(-1, batch_size).astype(np.int32))
        history.append(metrics)
        if (number + 1) % max(1, epochs // 10) == 0:
            print(
                f"epoch {number + 1:4d}: discriminator {metrics['loss']:.3f}, generator "
                f"{metrics['generator']:.3f}, told apart {100 * metrics['told apart']:.0f} %"
            )
    return players[1].params, jax.device_get(history)


def frechet(a, b):
    """The Fréchet distance of two sets of features ``[n, d]``, as if normal (arXiv:1706.08500)."""
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # The product of two covariances is similar to one of them, so has eigenvalues of at least 0.
    values = np.real(np.linalg.eigvals(covariances[0] @ covariances[1]))
    spread = np.trace(covariances[0] + covariances[1]) - 2 * np.sqrt(values.clip(0)).sum()
    return np.square(a.mean(0) - b.mean(0)).sum() + spread


def picture(real, drawn, history, path):
    """Real digits, drawn ones, and how the game went."""
    figure, axes = plt.subplots(1, 3, figsize=(14, 5), layout="constrained")
    for ax, images, title in zip(axes, (real, drawn), ("real", "drawn"), strict=False):
        grid = images[:100].reshape(10, 10, 8, 8)
        grid = np.pad(grid, ((0, 0), (0, 0), (1, 0), (1, 0))).transpose(0, 2, 1, 3)
        ax.imshow(grid.reshape(90, 90), cmap="gray_r", vmin=0, vmax=1)
        ax.set_title(title)
        ax.axis("off")
    for name in history[0]:
        label = {"loss": "discriminator's loss", "generator": "generator's loss"}.get(name, name)
        axes[2].plot([metrics[name] for metrics in history], label=label)
    axes[2].set(title="the game", xlabel="epoch")
    axes[2].grid(alpha=0.3)
    axes[2].legend()
    figure.savefig(path, dpi=100)


def main(epochs, batch_size, rate, seed, folder):
    keys = jax.random.split(jax.random.key(seed), 5)
    images, labels = sets.digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(images))
    held_out, shown = np.split(order, [360])

    params, history = train(images[shown], epochs, batch_size, rate, rng, keys[0])
    drawn = draw(params, 1000, keys[1])

    tx = jn.optim.adam(2e-3)
    state = jn.train.TrainState.create(classifier.init(keys[2], images[:1]), tx, keys[3])
    data = images[shown], labels[shown]
    state, _ = jn.train.fit(classifier_loss, tx, state, data, epochs=20, progress=False)

    def seen(images):
        return np.asarray(features(state.params["0"], images), np.float64)

    known = seen(images[shown])
    right = classifier(state.params, images[held_out]).argmax(-1) == labels[held_out]
    noise = jax.random.uniform(keys[4], drawn.shape)
    probabilities = nn.softmax(classifier(state.params, drawn))
    shares = np.bincount(probabilities.argmax(-1), minlength=10) / len(drawn)
    print(f"\nthe classifier knows {100 * right.mean():.1f} % of the real digits held out")
    print(f"mean confidence in the class of a drawn digit: {probabilities.max(-1).mean():.3f}")
    print("share of each digit:", " ".join(f"{digit}: {x:.2f}" for digit, x in enumerate(shares)))
    print(f"digits drawn: {(shares >= 0.03).sum()} of 10")
    print(f"Fréchet distance to the real ones: {frechet(known, seen(drawn)):.2f}")
    print(f"  of real ones held out: {frechet(known, seen(images[held_out])):.2f}")
    print(f"  of noise: {frechet(known, seen(noise)):.2f}")
    path = folder / "gan.png"
    picture(images[shown], np.asarray(drawn), history, path)
    print(f"wrote {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("."), help="where the picture goes")
    main(**vars(parser.parse_args()))
