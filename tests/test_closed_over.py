"""Values that a compiled function closes over are known, while what it computes of them is not."""

import jax
import jax.numpy as jnp
import pytest

import jaxnet as jn
from jaxnet import nn

logits = jax.random.normal(jax.random.key(0), (4, 3))
labels = jnp.array([0, 1, 2, 0])
shares = jn.losses.one_hot(labels, 3)
halves = jnp.full((4, 3), 0.5)
table = jnp.ones((3, 2))

CALLS = {
    "softmax_cross_entropy": lambda: jn.losses.softmax_cross_entropy(logits, labels),
    "softmax_cross_entropy of rows": lambda: jn.losses.softmax_cross_entropy(logits, shares),
    "categorical_cross_entropy": lambda: jn.losses.categorical_cross_entropy(shares, labels),
    "binary_cross_entropy": lambda: jn.losses.binary_cross_entropy(halves, shares),
    "one_hot": lambda: jn.losses.one_hot(labels, 3),
    "accuracy": lambda: jn.metrics.accuracy(logits, labels),
    "binary_accuracy": lambda: jn.metrics.binary_accuracy(halves, shares),
    "embed": lambda: nn.embed(labels, table),
}


@pytest.mark.parametrize("name", CALLS)
def test_closed_over_values_are_checked_and_used(name):
    call = CALLS[name]
    assert jnp.allclose(jax.jit(call)(), call())
    assert jnp.isfinite(call()).all()


def test_closed_over_labels_that_do_not_exist_are_met_while_tracing():
    wrong = labels + 1
    with pytest.raises(ValueError, match="lie between 1 and 3, but 3 classes"):
        jax.jit(lambda logits: jn.losses.softmax_cross_entropy(logits, wrong))(logits)
