"""Initializers: spread, structure, and how they are chosen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxnet as jn
from jaxnet import nn
from jaxnet.nn import initializers as inits

key = jax.random.key(0)
SHAPE = (3, 3, 40, 60)  # fans of 360 and 540
F32 = jnp.float32


@pytest.mark.oracle("nn.initializers.VarianceScaling")
@pytest.mark.parametrize(
    ("init", "variance", "bound"),
    [
        (inits.glorot_uniform, 2 / 900, np.sqrt(3)),
        (inits.xavier_uniform(gain=2.0), 8 / 900, np.sqrt(3)),
        (inits.xavier_normal(gain=2.0), 8 / 900, 9),
        (inits.glorot_normal, 2 / 900, 2 / 0.8796),
        (inits.he_normal, 2 / 360, 2 / 0.8796),
        (inits.he_uniform, 2 / 360, np.sqrt(3)),
        (inits.lecun_normal, 1 / 360, 2 / 0.8796),
        (inits.lecun_uniform, 1 / 360, np.sqrt(3)),
        (inits.kaiming_uniform(slope=5**0.5), 1 / 3 / 360, np.sqrt(3)),
        (inits.kaiming_normal(mode="fan_out", nonlinearity="relu"), 2 / 540, 9),
        (inits.VarianceScaling(0.3, mode="fan_avg", distribution="normal"), 0.3 / 450, 9),
    ],
)
def test_variance_is_scale_over_fan(init, variance, bound):
    x = np.asarray(init(key, SHAPE, F32))
    std = np.sqrt(variance)
    assert abs(x.mean()) < 5 * std / np.sqrt(x.size)
    assert abs(x.std() / std - 1) < 0.015
    most = abs(x).max() / std
    assert most <= bound * 1.001
    assert most > (bound * 0.98 if bound < 9 else 3)


@pytest.mark.oracle(
    "nn.initializers.Normal", "nn.initializers.Uniform", "nn.initializers.TruncatedNormal"
)
def test_moments_and_ends_of_plain_draws():
    # In units of the uncut deviation: cut at -1 and 2, by the formulas of the truncated normal.
    low, high, weight = 0.2419707, 0.0539910, 0.9772499 - 0.1586553
    mean = (low - high) / weight
    variance = 1 + (-1 * low - 2 * high) / weight - mean**2
    for init, centre, std, ends in (
        (inits.Normal(0.2, mean=1.0), 1.0, 0.2, None),
        (inits.Uniform(3.0, low=1.0), 2.0, 1 / np.sqrt(3), (1, 3)),
        (inits.Uniform(3.0), 0.0, np.sqrt(3), (-3, 3)),
        (
            inits.TruncatedNormal(0.5, mean=1.0, low=0.5, high=2.0),
            1 + 0.5 * mean,
            0.5 * np.sqrt(variance),
            (0.5, 2.0),
        ),
    ):
        x = np.asarray(init(key, (200_000,), F32))
        assert abs(x.mean() - centre) < 5 * std / np.sqrt(x.size)
        assert abs(x.std() / std - 1) < 0.01
        if ends:
            assert ends[0] <= x.min() < ends[0] + 0.01 * std
            assert ends[1] - 0.01 * std < x.max() <= ends[1]


@pytest.mark.oracle("nn.initializers.Orthogonal", "nn.initializers.DeltaOrthogonal")
@pytest.mark.parametrize("shape", [(5, 3), (2, 6), (3, 1, 4)])
def test_orthogonal_kernels_keep_lengths(shape):
    matrix = np.asarray(inits.Orthogonal(2.0)(key, shape, F32)).reshape(-1, shape[-1])
    gram = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)
    inputs, outputs = sorted(shape[-2:])
    kernel = inits.DeltaOrthogonal(2.0)(key, (3, 2, inputs, outputs), F32)
    centre = kernel[1, 1]
    np.testing.assert_allclose(centre @ centre.T, 4 * np.eye(inputs), atol=1e-5)
    assert np.count_nonzero(kernel) == np.count_nonzero(centre)


@pytest.mark.oracle("nn.initializers.Dirac", "nn.initializers.Identity")
@pytest.mark.parametrize(("size", "groups"), [((3,), 1), ((3, 5), 1), ((3, 3), 2), ((3, 1, 3), 1)])
def test_dirac_and_identity_return_their_input(size, groups):
    x = jax.random.normal(key, (2, *range(4, 4 + len(size)), 4))
    layer = nn.Conv(
        4, size, padding="SAME", groups=groups, initializer=inits.Dirac(groups), bias=False
    )
    np.testing.assert_array_equal(layer(layer.init(key, x), x), x)
    linear = nn.Linear(4, initializer=inits.Identity(3.0))
    np.testing.assert_array_equal(linear(linear.init(key, x), x), 3 * x)


@pytest.mark.oracle("nn.initializers.Sparse")
@settings(max_examples=10, deadline=None)
@given(st.floats(0, 1))
def test_each_input_has_so_many_zeros(sparsity):
    x = np.asarray(inits.Sparse(sparsity, std=2.0)(key, (200, 9), F32))
    zeros = x == 0
    assert (zeros.sum(1) == np.ceil(sparsity * 9)).all()
    assert (abs(zeros.mean(0) - zeros.mean()) < 0.2).all()
    assert zeros.all() or abs(x[~zeros].std() - 2) < 0.5


@pytest.mark.oracle("nn.initializers.gain")
def test_gains():
    found = [inits.gain(n) for n in ("linear", "conv", "sigmoid", "tanh", "relu", "selu")]
    np.testing.assert_allclose(found, [1, 1, 1, 5 / 3, 2**0.5, 0.75])
    assert inits.gain("leaky_relu", slope=0.2) == (2 / 1.04) ** 0.5


def test_equal_ones_are_equal_and_drawn_together():
    made = [
        lambda: inits.Constant(1.0), lambda: inits.Uniform(1.0), lambda: inits.Normal(2.0),
        lambda: inits.TruncatedNormal(2.0), inits.xavier_normal, inits.kaiming_uniform,
        inits.Orthogonal, inits.DeltaOrthogonal, inits.Identity, inits.Dirac,
        lambda: inits.Sparse(0.1),
    ]  # fmt: skip
    for make in made:
        assert make() == make()
        assert hash(make()) == hash(make())


def test_rules_choose_by_path():
    net = nn.Sequential(nn.Linear(4), nn.LayerNorm(), nn.Linear(4))
    x = jnp.ones((1, 4))
    rules = {"0/kernel": inits.Identity(), "**/kernel": inits.Constant(2.0), "1/*": inits.ones}
    params, plain = net.init(key, x, initializers=rules), net.init(key, x)
    np.testing.assert_array_equal(params["0"]["kernel"], jnp.eye(4))
    assert (params["2"]["kernel"] == 2).all()
    assert (params["1"]["bias"] == 1).all()
    np.testing.assert_array_equal(params["2"]["bias"], plain["2"]["bias"])
    everything = jn.init(net, key, x, initializers={"**": inits.Constant(3.0)})
    assert all((leaf == 3).all() for leaf in jax.tree.leaves(everything))


def test_a_kernel_of_several_axes_is_drawn_as_a_matrix():
    x = jnp.ones((1, 4, 6))
    layer = nn.Linear((2, 3), axes=2, initializer=inits.Orthogonal())
    matrix = layer.init(key, x)["kernel"].reshape(24, 6)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(6), atol=1e-5)
    spread = nn.Linear((20, 30), axes=2, initializer="keras").init(key, x)["kernel"].std()
    assert abs(float(spread) / np.sqrt(2 / (24 + 600)) - 1) < 0.03
    einsum = nn.Einsum("...hk,hkd->...d", 500, initializer="torch", bias="d").init(key, x)
    assert abs(float(abs(einsum["kernel"]).max()) * np.sqrt(24) - 1) < 0.01
    bilinear = nn.Bilinear(300).init(key, x[:, 0], x[:, 0])["kernel"]
    assert abs(float(abs(bilinear).max()) * np.sqrt(6) - 1) < 0.01
