"""Array functions in lower case, and the layers on them in CapWords."""

from jaxnet.core.layer import Layer as Layer
from jaxnet.core.layer import layer as layer
from jaxnet.core.tap import tap as tap
from jaxnet.nn import activation as activation
from jaxnet.nn import initializers as initializers
from jaxnet.nn.activation import *  # noqa: F403
from jaxnet.nn.branches import Branches as Branches
from jaxnet.nn.compose import MLP as MLP
from jaxnet.nn.compose import Repeat as Repeat
from jaxnet.nn.compose import Residual as Residual
from jaxnet.nn.compose import Sequential as Sequential
from jaxnet.nn.conv import Conv as Conv
from jaxnet.nn.conv import conv as conv
from jaxnet.nn.dropout import Dropout as Dropout
from jaxnet.nn.dropout import dropout as dropout
from jaxnet.nn.embed import Embed as Embed
from jaxnet.nn.embed import embed as embed
from jaxnet.nn.linear import Linear as Linear
from jaxnet.nn.linear import linear as linear
from jaxnet.nn.norm import BatchNorm as BatchNorm
from jaxnet.nn.norm import LayerNorm as LayerNorm
from jaxnet.nn.norm import RMSNorm as RMSNorm
from jaxnet.nn.norm import batch_norm as batch_norm
from jaxnet.nn.norm import layer_norm as layer_norm
from jaxnet.nn.norm import rms_norm as rms_norm
from jaxnet.nn.pool import AvgPool as AvgPool
from jaxnet.nn.pool import MaxPool as MaxPool
from jaxnet.nn.pool import avg_pool as avg_pool
from jaxnet.nn.pool import max_pool as max_pool
from jaxnet.nn.shape import Flatten as Flatten
