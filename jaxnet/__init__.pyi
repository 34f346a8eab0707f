from jaxnet import analysis as analysis
from jaxnet import data as data
from jaxnet import doctor as doctor
from jaxnet import interop as interop
from jaxnet import losses as losses
from jaxnet import metrics as metrics
from jaxnet import nn as nn
from jaxnet import optim as optim
from jaxnet import testing as testing
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

__version__: str
