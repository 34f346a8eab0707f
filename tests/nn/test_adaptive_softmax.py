"""The adaptive softmax is a distribution, whose entries are what a call gives."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnet import nn

LAYER = nn.AdaptiveLogSoftmax(9, (2, 5), div_value=2.0, bias=True)
X = jax.random.normal(jax.random.key(0), (9, 8))
LABELS = jnp.arange(9)
PARAMS = LAYER.init(jax.random.key(1), X, LABELS)


def test_probabilities_sum_to_1_and_are_those_of_the_labels():
    full = LAYER.log_prob(PARAMS, X)
    np.testing.assert_allclose(jnp.exp(full).sum(-1), 1, rtol=1e-6)
    np.testing.assert_allclose(LAYER(PARAMS, X, LABELS), jnp.diagonal(full), rtol=1e-5)
    assert [PARAMS["tail"][i]["0"]["kernel"].shape for i in "01"] == [(8, 4), (8, 2)]


def test_labels_that_do_not_exist_are_nan_under_jit():
    y = jax.jit(LAYER)(PARAMS, X, LABELS + 1)
    np.testing.assert_array_equal(jnp.isnan(y), LABELS == 8)


def test_there_is_no_gather_or_scatter():
    grad = jax.grad(lambda params: -LAYER(params, X, LABELS).mean())
    text = str(jax.make_jaxpr(grad)(PARAMS))
    assert "select_n" in text
    assert "gather" not in text
    assert "scatter" not in text
