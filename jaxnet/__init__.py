"""Neural networks as pure functions on plain trees.

>>> import jax, jaxnet as jn
>>> from jaxnet import nn
>>> net = nn.Sequential(nn.Linear(20), jax.nn.sigmoid, nn.Linear(1))
>>> params = net.init(jax.random.key(0), jax.numpy.zeros((1, 10)))
>>> net(params, jax.numpy.ones((3, 10))).shape
(3, 1)
"""

import importlib
from typing import TYPE_CHECKING, Any

from jaxnet import analysis as analysis
from jaxnet import data as data
from jaxnet import doctor as doctor
from jaxnet import interop as interop
from jaxnet import losses as losses
from jaxnet import metrics as metrics
from jaxnet import nn as nn
from jaxnet import optim as optim
from jaxnet import train as train
from jaxnet.core import tree as tree
from jaxnet.core.blueprint import Blueprint as Blueprint
from jaxnet.core.blueprint import child as child
from jaxnet.core.blueprint import param as param
from jaxnet.core.blueprint import specs as specs
from jaxnet.core.blueprint import split as split
from jaxnet.core.blueprint import stacked as stacked
from jaxnet.core.init import init as init
from jaxnet.core.layer import Layer as Layer
from jaxnet.core.layer import layer as layer
from jaxnet.core.tap import tap as tap

if TYPE_CHECKING:
    from jaxnet import testing as testing

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # chex, on which testing rests, is slow to import.
    if name == "testing":
        return importlib.import_module("jaxnet.testing")
    raise AttributeError(f"module 'jaxnet' has no attribute {name!r}")
