"""Activations are plain functions: ``nn.relu(x)``, or ``nn.relu`` in a ``Sequential``.

Those of ``jax.nn`` under their names, with the exact GELU, as in PyTorch and Keras.
"""

import jax
from jax.nn import (
    celu,
    elu,
    glu,
    hard_sigmoid,
    hard_swish,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_sign,
    softmax,
    softplus,
    swish,
    tanh,
)

__all__ = [
    "celu", "elu", "gelu", "gelu_tanh", "glu", "hard_sigmoid", "hard_swish", "hard_tanh",
    "leaky_relu", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_sign", "softmax", "softplus", "swish", "tanh",
]  # fmt: skip


def gelu(x: jax.Array) -> jax.Array:
    """``x * Phi(x)``, with the exact normal distribution function (arXiv:1606.08415).

    >>> gelu(jax.numpy.array([0.0, 8.0]))
    Array([0., 8.], dtype=float32)
    """
    return jax.nn.gelu(x, approximate=False)


def gelu_tanh(x: jax.Array) -> jax.Array:
    """The tanh approximation of ``gelu`` that GPT-2 was trained with.

    >>> gelu_tanh(jax.numpy.array([0.0, 8.0]))
    Array([0., 8.], dtype=float32)
    """
    return jax.nn.gelu(x, approximate=True)
