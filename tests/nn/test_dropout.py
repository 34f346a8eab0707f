"""What is dropped, kept and added, against the formulas; and how it is distributed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn

key = jax.random.key(0)
MANY = (400, 500)
# How far a mean over that many may be from its expectation: five standard errors.
ERROR = 5 / np.sqrt(200_000)


@pytest.mark.oracle("nn.dropout", "nn.Dropout", gradients=True)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_entries_are_kept_and_divided_or_dropped(strict, rate):
    x = draw(MANY)
    y, pull = jax.vjp(lambda x: nn.Dropout(rate)({}, x, key=key), x)
    kept = y != 0
    assert abs(float(kept.mean()) - (1 - rate)) < ERROR
    close(y, jnp.where(kept, x / (1 - rate), 0))
    (grad,) = pull(jnp.cos(x))
    close(grad, jnp.where(kept, jnp.cos(x) / (1 - rate), 0))
    close(nn.dropout(x, rate, key), y)
    # Neighbours are dropped independently.
    both = kept[:, 1:] & kept[:, :-1]
    assert abs(float(both.mean()) - (1 - rate) ** 2) < 2 * ERROR


@pytest.mark.oracle("nn.alpha_dropout", "nn.AlphaDropout", gradients=True)
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(strict, rate):
    x = nn.selu(draw(MANY))
    y, pull = jax.vjp(lambda x: nn.AlphaDropout(rate)({}, x, key=key), x)
    least = -1.0507009873554805 * 1.6732632423543772
    a = ((1 - rate) * (1 + rate * least**2)) ** -0.5
    dropped = a * least - a * rate * least
    kept = abs(y - dropped) > 1e-9
    assert abs(float(kept.mean()) - (1 - rate)) < 2 * ERROR
    close(y, jnp.where(kept, a * x - a * rate * least, dropped))
    close(pull(jnp.ones_like(x))[0], jnp.where(kept, a, 0.0))
    assert abs(float(y.mean() - x.mean())) < 2 * ERROR
    assert abs(float(y.var() / x.var() - 1)) < 4 * ERROR


@pytest.mark.oracle("nn.gaussian_dropout", "nn.GaussianDropout", gradients=True)
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_gaussian_dropout_multiplies_with_noise_of_its_variance(strict, rate):
    x = draw(MANY)
    y, pull = jax.vjp(lambda x: nn.GaussianDropout(rate)({}, x, key=key), x)
    noise = y / x
    spread = np.sqrt(rate / (1 - rate))
    assert abs(float(noise.mean()) - 1) < ERROR * spread
    assert abs(float(noise.std()) / spread - 1) < ERROR
    close(pull(jnp.ones_like(x))[0], noise)


@pytest.mark.oracle("nn.gaussian_noise", "nn.GaussianNoise", gradients=True)
def test_gaussian_noise_is_added(strict):
    x = draw(MANY)
    y, pull = jax.vjp(lambda x: nn.GaussianNoise(0.3)({}, x, key=key), x)
    assert abs(float((y - x).mean())) < ERROR * 0.3
    assert abs(float((y - x).std()) / 0.3 - 1) < ERROR
    close(pull(jnp.cos(x))[0], jnp.cos(x))


@pytest.mark.oracle("nn.drop_path", "nn.DropPath", gradients=True)
@pytest.mark.parametrize(("axes", "shape"), [(None, (4000,)), (1, (4000, 2)), (3, ())])
def test_drop_path_drops_whole_examples(strict, axes, shape):
    x = 2 + jnp.abs(draw((4000, 2, 3)))
    y, pull = jax.vjp(lambda x: nn.DropPath(0.25, axes=axes)({}, x, key=key), x)
    kept = (y != 0).reshape(*shape, -1)
    assert (kept.all(-1) == kept.any(-1)).all()
    close(y, jnp.where(y != 0, x / 0.75, 0))
    close(pull(jnp.ones_like(x))[0], jnp.where(y != 0, 1 / 0.75, 0))
    assert axes == 3 or abs(float(kept.mean()) - 0.75) < 0.035


@settings(max_examples=10, deadline=None)
@given(st.sets(st.integers(-3, -1)).map(tuple), st.sampled_from([nn.dropout, nn.alpha_dropout]))
def test_shared_axes_share_one_draw(axes, drop):
    y = np.asarray(drop(jnp.ones((5, 6, 7)), 0.5, key, share=axes))
    np.testing.assert_array_equal(y, np.broadcast_to(y.max(axes, keepdims=True), y.shape))
    assert len(axes) == 3 or y.min() < y.max()


def test_without_a_key_nothing_is_done():
    x = draw((2, 3)).astype(jnp.float32)
    layers = (nn.Dropout, nn.AlphaDropout, nn.DropPath, nn.GaussianDropout, nn.GaussianNoise)
    for layer in layers:
        assert layer(0.5)({}, x) is x
        assert layer(0.0)({}, x, key=key) is x


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_sixteen_bits_stay(dtype):
    x = jnp.ones((50, 4), dtype)
    for layer in (nn.Dropout, nn.AlphaDropout, nn.DropPath, nn.GaussianDropout, nn.GaussianNoise):
        y = layer(0.5)({}, x, key=key)
        assert y.dtype == dtype
        assert jnp.isfinite(y).all()
