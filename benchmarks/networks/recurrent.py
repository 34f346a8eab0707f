"""A number of a sequence, from the last output of a recurrent layer."""

from typing import Any

import jax

from jaxnet import nn


def last_output(layer: nn.Layer) -> nn.Layer:
    """The layer, then a linear one on its last output: ``[B, T, I] -> [B, 1]``.

    >>> import jax.numpy as jnp
    >>> net = last_output(nn.LSTM(4))
    >>> params = net.init(jax.random.key(0), jnp.zeros((1, 5, 3)))
    >>> net(params, jnp.ones((2, 5, 3))).shape
    (2, 1)
    """

    @nn.layer
    def net(params: Any, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        y = layer(params["recurrent"], x, key=key)
        return nn.Linear(1)(params["head"], y[:, -1])

    return net
