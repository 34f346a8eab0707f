"""Every layer, with each of its options, keeps what ``check_layer`` asks of a layer.

To have a layer checked, add a row: an id, the layer, and example inputs with a batch of two.
"""

import jax
import jax.numpy as jnp
import pytest
from jax import checkpoint_policies as policies

from jaxnet import nn
from jaxnet.nn.conv import Conv
from jaxnet.nn.pool import AvgPool, MaxPool
from jaxnet.testing import check_layer


def normal(*shape: int) -> jax.Array:
    return jax.random.normal(jax.random.key(len(shape)), shape)


VECTOR, SEQUENCE = normal(2, 4), normal(2, 7, 4)
IMAGE, VOLUME = normal(2, 5, 6, 2), normal(2, 3, 4, 3, 2)
IDS = jnp.array([[1, 6, 0], [5, 2, 1]])
ROWS = [
    ("linear", nn.Linear(3), VECTOR),
    ("linear-no-bias", nn.Linear(3, bias=False, initializer="flax"), SEQUENCE),
    ("linear-keras", nn.Linear(3, initializer="keras"), VECTOR),
    ("embed", nn.Embed(7, 3), IDS),
    ("embed-keras", nn.Embed(7, 3, initializer="keras"), IDS),
    ("batch-norm", nn.BatchNorm(), VECTOR),
    ("batch-norm-plain", nn.BatchNorm(scale=False, bias=False, momentum=0.3, eps=1e-3), IMAGE),
    ("layer-norm", nn.LayerNorm(), VECTOR),
    ("layer-norm-plain", nn.LayerNorm(scale=False, bias=False, eps=1e-3), SEQUENCE),
    ("rms-norm", nn.RMSNorm(), VECTOR),
    ("rms-norm-plain", nn.RMSNorm(scale=False, eps=1e-3), SEQUENCE),
    ("dropout", nn.Dropout(0.5), VECTOR),
    ("dropout-0", nn.Dropout(0.0), VECTOR),
    ("flatten", nn.Flatten(), IMAGE),
    ("flatten-2", nn.Flatten(2), SEQUENCE),
    ("activations", nn.Sequential(nn.glu, nn.gelu, nn.leaky_relu), VECTOR),
    ("activations-more", nn.Sequential(nn.gelu_tanh, nn.relu, nn.softmax), VECTOR),
    ("sequential", nn.Sequential(nn.Linear(3), nn.relu, nn.Dropout(0.3)), VECTOR),
    ("sequential-empty", nn.Sequential(), VECTOR),
    ("residual", nn.Residual(nn.Linear(4)), VECTOR),
    ("residual-function", nn.Residual(nn.softmax), VECTOR),
    ("mlp", nn.MLP((6, 5)), VECTOR),
    ("mlp-options", nn.MLP(5, 3, activation=nn.silu, dropout=0.2), VECTOR),
    ("repeat-unroll", nn.Repeat(nn.Linear(4), 3, unroll=2), VECTOR),
    ("repeat-loop", nn.Repeat(nn.Linear(4), 2, scan=False), VECTOR),
    ("repeat-random", nn.Repeat(nn.Dropout(0.5), 2), VECTOR),
    ("repeat-policy", nn.Repeat(nn.Linear(4), 2, remat=policies.dots_saveable), VECTOR),
    ("repeat-statistics", nn.Repeat(nn.BatchNorm(scale=False), 2, remat=True), VECTOR),
    ("conv-1d-reflect", Conv(3, (3,), padding=1, padding_mode="reflect"), SEQUENCE),
    ("conv-1d-replicate", Conv(3, (2,), padding=1, padding_mode="replicate"), SEQUENCE),
    ("conv-1d-causal", Conv(3, (2,), padding="CAUSAL", dilation=2), SEQUENCE),
    ("conv-2d", Conv(3, 2, stride=(1, 2), padding="SAME", bias=False), IMAGE),
    ("conv-2d-groups", Conv(4, (2, 3), groups=2, initializer="keras"), IMAGE),
    ("conv-2d-circular", Conv(3, 2, padding=((1, 0), (0, 2)), padding_mode="circular"), IMAGE),
    ("conv-3d", Conv(3, (2, 1, 2)), VOLUME),
    ("max-pool-1d", MaxPool((3,), stride=2), SEQUENCE),
    ("max-pool-2d", MaxPool(2, stride=1, padding="SAME"), IMAGE),
    ("max-pool-3d", MaxPool((2, 2, 1)), VOLUME),
    ("avg-pool-1d", AvgPool((3,), stride=2, padding=1), SEQUENCE),
    ("avg-pool-2d", AvgPool(2, padding="SAME", count_include_pad=False), IMAGE),
    ("avg-pool-3d", AvgPool((2, 2, 1)), VOLUME),
]


@pytest.mark.parametrize(("layer", "x"), [pytest.param(*row, id=name) for name, *row in ROWS])
def test_layer(layer, x):
    check_layer(layer, x)


def test_every_layer_has_a_row():
    exported = {
        value
        for value in vars(nn).values()
        if isinstance(value, type) and issubclass(value, nn.Layer) and value is not nn.Layer
    }
    rows = {type(layer) for _, layer, _ in ROWS}
    assert exported <= rows, f"add a row for {exported - rows}"
