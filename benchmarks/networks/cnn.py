"""A small convolutional network for images such as MNIST's, 28 x 28 x 1."""

from jaxnet import nn


def cnn(classes: int = 10) -> nn.Layer:
    """Two convolutions, one pooling, two dense layers: ``[..., 28, 28, 1] -> [..., classes]``.

    >>> import jax, jax.numpy as jnp
    >>> params = cnn().init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    >>> cnn()(params, jnp.ones((2, 28, 28, 1))).shape
    (2, 10)
    """
    return nn.Sequential(
        nn.Conv(32, 3),
        nn.relu,
        nn.Conv(64, 3),
        nn.relu,
        nn.MaxPool(2),
        nn.Flatten(3),
        nn.Linear(128),
        nn.relu,
        nn.Linear(classes),
    )
