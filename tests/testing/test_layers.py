"""Every layer, with each of its options, keeps what ``check_layer`` asks of a layer.

To have a layer checked, add a row to its room in ``tests/catalogue``. The first row of a layer is
always checked, unless it takes half a minute; the others are where slow tests are.
"""

import pytest
from catalogue import rows

from jaxnet import nn
from jaxnet.testing import check_layer

LAYERS = rows("LAYERS")
FIRST = {type(layer): name for name, layer, *_ in reversed(LAYERS)}
LONG = {
    "transformer", "transformer-decoder", "transformer-decoder-layer", "transformer-encoder",
    "aug-mix", "rand-augment", "mamba", "gru",
}  # fmt: skip


def case(name, layer, *inputs):
    slow = name in LONG or name != FIRST[type(layer)]
    return pytest.param(layer, inputs, id=name, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize(("layer", "inputs"), [case(*row) for row in LAYERS])
def test_layer(layer, inputs):
    check_layer(layer, *inputs)


def test_every_layer_has_a_row():
    exported = {
        value
        for value in (getattr(nn, name) for name in dir(nn))
        if isinstance(value, type) and issubclass(value, nn.Layer) and value is not nn.Layer
    }
    assert exported <= set(FIRST), f"add a row for {exported - set(FIRST)}"
