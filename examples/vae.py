"""A variational autoencoder of handwritten digits (arXiv:1312.6114).

A pixel of these scans says how many of 16 dots hold ink. So its likelihood is a binomial one, and
the ELBO bounds the log-likelihood of an image from below, in nats. Prints it for images held out,
and writes a picture: reconstructions, samples, and the ways from a digit to another.
"""

import argparse
import math
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

CODE = 10
DOTS = 16
# How many ways there are to place k dots of ink in a pixel, in logarithms.
WAYS = np.log([math.comb(DOTS, k) for k in range(DOTS + 1)]).astype(np.float32)

encoder = nn.Sequential(nn.Flatten(), nn.Linear(256), nn.relu, nn.Dropout(0.2), nn.Linear(2 * CODE))
decoder = nn.Sequential(nn.Linear(256), nn.relu, nn.Linear(64), nn.Unflatten((8, 8, 1)))


def encode(params, images, key=None):
    """Mean and log variance of the codes of images, each ``[N, CODE]``."""
    return jnp.split(encoder(params["encoder"], images, key=key), 2, axis=-1)


def decode(params, codes):
    """The share of ink in each pixel that codes stand for: images ``[N, 8, 8, 1]``."""
    return nn.sigmoid(decoder(params["decoder"], codes))


def log_likelihood(logits, images):
    """``log p(images | codes)`` in nats, the mean of a batch."""
    costs = DOTS * jn.losses.sigmoid_cross_entropy(logits, images, reduction="none")
    ways = jnp.asarray(WAYS)[jnp.round(DOTS * images).astype(jnp.int32)]
    return (ways - costs).sum((1, 2, 3)).mean()


def loss_fn(params, batch, key):
    """Minus the ELBO; without a key it is for inference, where codes are the means."""
    layer_key, code_key = jn.split(key, 2)
    mean, log_variance = encode(params, batch, layer_key)
    codes = mean if key is None else sample(code_key, mean, log_variance)
    likelihood = log_likelihood(decoder(params["decoder"], codes), batch)
    divergence = jn.losses.normal_kl(mean, log_variance)
    return divergence - likelihood, {"divergence": divergence}


def sample(key, mean, log_variance):
    """A code for each image, from the normal distribution that it was encoded as."""
    return mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)


def elbo(params, images, key, draws=100):
    """The bound for images held out: no dropout, and the mean of many draws of each code."""
    mean, log_variance = encode(params, images)

    def once(key):
        codes = sample(key, mean, log_variance)
        return log_likelihood(decoder(params["decoder"], codes), images)

    likelihoods = jax.lax.map(once, jax.random.split(key, draws))
    return likelihoods.mean() - jn.losses.normal_kl(mean, log_variance)


def picture(params, images, key, path):
    """Images and their reconstructions, samples, and six ways between two codes."""
    middles = decode(params, encode(params, images)[0])
    samples = decode(params, jax.random.normal(key, (60, CODE)))
    starts, ends = (encode(params, part)[0][:, None] for part in (images[10:16], images[24:30]))
    shares = jnp.linspace(0, 1, 10)[None, :, None]
    ways = decode(params, ((1 - shares) * starts + shares * ends).reshape(60, CODE))
    figure, axes = plt.subplots(1, 3, figsize=(14, 3.4), layout="constrained")
    pairs = jnp.stack([part[:30].reshape(3, 10, 8, 8) for part in (images, middles)], 1)
    titles = "held out, each with its reconstruction below", "samples", "from a digit to another"
    for ax, shown, title in zip(axes, (pairs, samples, ways), titles, strict=True):
        grid = np.pad(np.reshape(shown, (6, 10, 8, 8)), ((0, 0), (0, 0), (1, 0), (1, 0)))
        ax.imshow(grid.transpose(0, 2, 1, 3).reshape(54, 90), cmap="gray_r", vmin=0, vmax=1)
        ax.set_title(title)
        ax.axis("off")
    figure.savefig(path, dpi=100)


def main(epochs, batch_size, rate, seed, folder):
    keys = jax.random.split(jax.random.key(seed), 5)
    images, _ = sets.digits()
    order = np.random.default_rng(seed).permutation(len(images))
    held_out, train = (jnp.asarray(images[rows]) for rows in np.split(order, [360]))

    params = {
        "encoder": encoder.init(keys[0], train[:1]),
        "decoder": decoder.init(keys[1], jnp.zeros((1, CODE))),
    }
    tx = jn.optim.adam(rate)
    state = jn.train.TrainState.create(params, tx, keys[2])
    state, history = jn.train.fit(loss_fn, tx, state, train, epochs=epochs, batch_size=batch_size)

    share = jnp.clip(train.mean(0), 1e-3, 1 - 1e-3)
    alike = log_likelihood(jnp.broadcast_to(jnp.log(share / (1 - share)), held_out.shape), held_out)
    reconstructed = decode(state.params, encode(state.params, held_out)[0])
    error = jn.losses.mean_squared_error(reconstructed, held_out) ** 0.5
    print(f"\nELBO of the images held out: {elbo(state.params, held_out, keys[3]):.1f} nats")
    print(f"  in training: {-history['loss'][-1]:.1f} nats")
    print(f"  of the mean image, without a code: {alike:.1f} nats")
    print(f"the code carries {history['divergence'][-1]:.1f} nats")
    print(f"root mean squared error of a reconstructed pixel: {error:.3f}")
    path = folder / "vae.png"
    picture(state.params, held_out, keys[4], path)
    print(f"wrote {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("."), help="where the picture goes")
    main(**vars(parser.parse_args()))
