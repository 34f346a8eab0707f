"""Neural networks as pure functions on plain trees.

>>> import jax, jaxnet as jn
>>> from jaxnet import nn
>>> net = nn.Sequential(nn.Linear(20), jax.nn.sigmoid, nn.Linear(1))
>>> params = net.init(jax.random.key(0), jax.numpy.zeros((1, 10)))
>>> net(params, jax.numpy.ones((3, 10))).shape
(3, 1)
"""

from jaxnet.core.lazy import lazy

__version__ = "0.1.0"

lazy(__name__)
