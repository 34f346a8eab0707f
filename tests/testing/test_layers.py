"""Every layer, with each of its options, keeps what ``check_layer`` asks of a layer.

To have a layer checked, add a row to its room in ``tests/catalogue``.
"""

import pytest
from catalogue import rows

from jaxnet import nn
from jaxnet.testing import check_layer

LAYERS = rows("LAYERS")


@pytest.mark.parametrize(("layer", "inputs"), [pytest.param(x, xs, id=i) for i, x, *xs in LAYERS])
def test_layer(layer, inputs):
    check_layer(layer, *inputs)


def test_every_layer_has_a_row():
    exported = {
        value
        for value in vars(nn).values()
        if isinstance(value, type) and issubclass(value, nn.Layer) and value is not nn.Layer
    }
    rows = {type(layer) for _, layer, *_ in LAYERS}
    assert exported <= rows, f"add a row for {exported - rows}"
