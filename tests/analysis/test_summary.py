import jax
import jax.numpy as jnp

from jaxnet import nn
from jaxnet.analysis import summary

x = jnp.zeros((2, 3))


def test_one_row_for_each_call_and_the_total():
    net = nn.Sequential(nn.Linear(4), nn.BatchNorm(), nn.Repeat(nn.Residual(nn.Linear(4)), 5))
    lines = summary(net, jax.ShapeDtypeStruct((2, 3), jnp.float32)).splitlines()
    rows = [line.split() for line in lines[2:-2]]
    assert [row[0] for row in rows[1:]] == ["0", "1", "2", "2", "2"]
    assert [row[-1] for row in rows] == ["132", "16", "16", "100", "100", "100"]
    assert lines[-1] == "124 parameters and 8 statistics, 528 bytes"
    assert "float32[2,4]" in lines[3]


def test_shared_leaves_are_counted_once():
    @nn.layer
    def tied(params, x, *, key=None):
        layer = nn.Linear(3)
        return layer(params["shared"], layer(params["shared"], x))

    text = summary(tied, x)
    assert text.count("shared") == 2
    assert text.endswith("12 parameters, 48 bytes")


def test_long_layers_are_cut():
    net = nn.Sequential(*[nn.Linear(3)] * 20)
    assert max(map(len, summary(net, x).splitlines())) < 100
