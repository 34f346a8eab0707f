"""Weight and spectral normalisation against NumPy, and what they must keep."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn
from jaxnet.core import stats, tree

pytestmark = pytest.mark.usefixtures("strict")
key = jax.random.key(0)
LAYERS = {
    "linear": nn.Linear(4),
    "conv": nn.Conv(4, 2),
    "repeat": nn.Repeat(nn.Linear(3), 3),
}


@pytest.fixture
def x(strict):
    return draw((5, 4, 3))


@pytest.mark.parametrize("name", ["conv", "repeat"])
def test_weight_norm_starts_as_the_layer_would_without(name, x):
    layer = LAYERS[name]
    plain, params = layer.init(key, x), nn.WeightNorm(layer).init(key, x)
    close(nn.WeightNorm(layer)(params, x), layer(plain, x))
    assert tree.flatten(params).keys() > tree.flatten(plain).keys()


def test_a_part_starts_as_it_would_without_wherever_it_stands(x):
    plain = nn.Sequential(nn.Linear(3), nn.Repeat(nn.Linear(3), 2))
    part = nn.Sequential(nn.Linear(3), nn.Repeat(nn.WeightNorm(nn.Linear(3)), 2))
    params = part.init(key, x)
    assert params["1"]["kernel_magnitude"].shape == (2, 3)
    close(part(params, x), plain(plain.init(key, x), x))


def pulled(f, *args):
    """The value, and gradients for a cotangent that is made of it."""

    @jax.jit
    def run(*args):
        y, back = jax.vjp(f, *args)
        return y, back(jnp.cos(y))

    return run(*args)


@pytest.mark.oracle("nn.WeightNorm", "nn.weight_norm", gradients=True)
@pytest.mark.parametrize("name", ["linear", "conv"])
def test_weight_norm_is_its_definition(name, x):
    layer = LAYERS[name]
    normed = nn.WeightNorm(layer)
    params = jax.tree.map(lambda leaf: draw(leaf.shape, leaf.size), normed.init(key, x))

    def by_hand(params, x):
        v, g = params["kernel"], params["kernel_magnitude"]
        unit = v / jnp.sqrt(jnp.square(v).sum(range(v.ndim - 1), keepdims=True))
        return layer({"kernel": unit * jnp.broadcast_to(g, v.shape), "bias": params["bias"]}, x)

    jax.tree.map(close, pulled(normed, params, x), pulled(by_hand, params, x))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 99), st.floats(1e-3, 1e3))
def test_weight_norm_does_not_see_the_scale_of_its_direction(seed, scale):
    v, g = draw((2, 3, 4), seed), draw((4,), seed + 1)
    close(nn.weight_norm(scale * v, g), nn.weight_norm(v, g))
    pull = jax.grad(lambda v: jnp.square(nn.weight_norm(v, g) - 1).sum())(v)
    close((pull * v).sum((0, 1)), jnp.zeros(4))


def test_kernels_of_zeros_stay_zeros_with_finite_gradients(x):
    for kind in (nn.WeightNorm, nn.SpectralNorm):
        layer = kind(nn.Linear(4, initializer=jax.nn.initializers.zeros))
        params = layer.init(key, x)
        for call_key in (None, key):
            slope = jax.jit(jax.value_and_grad(lambda p: layer(p, x, key=call_key).sum()))
            y, grads = slope(params)
            assert y == 0
            assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(grads))


def matrices(params, path):
    """The kernels at a path as matrices with the outputs first."""
    kernel = np.asarray(tree.flatten(params)[path])
    u = np.asarray(tree.flatten(params)[f"stats/{path}/u"])
    stacked = kernel.reshape(-1, *kernel.shape[u.ndim - 1 :])
    return [one.reshape(-1, one.shape[-1]).T for one in stacked]


def power(w, v):
    u = w @ v / np.linalg.norm(w @ v)
    v = w.T @ u / np.linalg.norm(w.T @ u)
    return u, v


@pytest.mark.oracle("nn.SpectralNorm", "nn.spectral_norm", gradients=True)
@pytest.mark.parametrize(("name", "iterations"), [("linear", 1), ("conv", 3)])
def test_spectral_norm_is_its_definition(name, iterations, x):
    layer = LAYERS[name]
    normed = nn.SpectralNorm(layer, iterations=iterations)
    params = normed.init(key, x)
    params = jax.tree.map(lambda leaf: draw(leaf.shape, leaf.size), params)
    (w,) = matrices(params, "kernel")
    u, v = (np.asarray(params["stats"]["kernel"][name]) for name in "uv")
    weights, vectors = stats.divide(params)

    def inner(kernel):
        return layer({"kernel": kernel, "bias": params["bias"]}, x)

    for call_key in (None, key):
        if call_key is not None:
            for _ in range(iterations):
                u, v = power(w, v)
        sigma = u @ w @ v
        y, (grads,) = pulled(lambda p: normed(p, x, key=call_key), params)
        expected, (pull,) = pulled(inner, params["kernel"] / sigma)
        close(y, expected)
        pull = np.asarray(pull).reshape(w.T.shape).T
        slope = pull / sigma - (pull * w).sum() / sigma**2 * np.outer(u, v)
        close(grads["kernel"], jnp.asarray(slope.T.reshape(params["kernel"].shape)))
    new = stats.update(vectors["stats"], grads["stats"])
    jax.tree.map(close, new, {"kernel": {"u": jnp.array(u), "v": jnp.array(v)}})
    assert weights.keys() == {"kernel", "bias"}


@pytest.mark.parametrize("name", LAYERS)
def test_spectral_norm_converges_to_the_largest_singular_value(name, x):
    layer = LAYERS[name]
    normed = nn.SpectralNorm(layer)
    params = normed.init(key, x)
    for path in [path for path in tree.flatten(params) if path.endswith("kernel")]:
        for i, w in enumerate(matrices(params, path)):
            flat = tree.flatten(params)
            u, v = (np.asarray(flat[f"stats/{path}/{n}"]).reshape(-1, m)[i]
                    for n, m in zip("uv", w.shape, strict=True))  # fmt: skip
            largest = np.linalg.svd(w)[1][0]
            np.testing.assert_allclose(u @ w @ v, largest, rtol=1e-2)
            for _ in range(300):
                u, v = power(w, v)
            np.testing.assert_allclose(u @ w @ v, largest, rtol=1e-6)


def test_training_calls_carry_the_vectors_to_the_singular_ones(x):
    layer = nn.SpectralNorm(nn.Repeat(nn.Linear(3), 2), iterations=5)
    params = layer.init(key, x)
    pull = jax.jit(jax.grad(lambda p: layer(p, x, key=key).sum()))
    for _ in range(200):
        params["stats"] = stats.update(params["stats"], pull(params)["stats"])
    kernels = params["kernel"]
    sigma = jnp.einsum(
        "nro,no,nr->n", kernels, params["stats"]["kernel"]["u"], params["stats"]["kernel"]["v"]
    )
    close(sigma, jnp.linalg.svd(kernels, compute_uv=False)[:, 0])


def test_spectral_norm_leaves_other_statistics_alone(x):
    net = nn.Sequential(nn.Linear(2), nn.BatchNorm())
    layer = nn.SpectralNorm(net, "0/kernel", iterations=100)
    params = layer.init(key, x)
    assert params["1"]["stats"].keys() == {"mean", "var"}
    assert params["stats"].keys() == {"0"}
    _, (grads,) = pulled(lambda p: layer(p, x, key=key), params)
    largest = np.linalg.svd(np.asarray(params["0"]["kernel"]))[1][0]
    first = params["0"] | {"kernel": params["0"]["kernel"] / largest}
    _, (expected,) = pulled(lambda p: net(p, x, key=key), {"0": first, "1": params["1"]})
    jax.tree.map(close, grads["1"]["stats"], expected["1"]["stats"])


def test_reparametrisations_stand_in_each_other(x):
    plain = nn.Sequential(nn.Linear(2), nn.Linear(3))
    both = nn.SpectralNorm(nn.WeightNorm(nn.WeightNorm(plain, "0/kernel"), "1/kernel"), "0/kernel")
    params = both.init(key, x)
    assert set(tree.flatten(params)) == {
        *(f"{i}/{name}" for i in "01" for name in ("kernel", "bias", "kernel_magnitude")),
        *(f"stats/0/kernel/{name}" for name in "uv"),
    }
    start = plain.init(key, x)
    alone = nn.SpectralNorm(plain, "0/kernel")
    # The scale of a direction does not matter.
    close(both(params, x), plain(start, x))
    assert jnp.abs(alone(start | {"stats": params["stats"]}, x) - plain(start, x)).max() > 1e-3
