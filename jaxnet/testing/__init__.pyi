from jaxnet.testing import strategies as strategies
from jaxnet.testing.check import check_layer as check_layer
