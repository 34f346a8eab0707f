"""What holds for linear attention on all inputs."""

import jax
import jax.numpy as jnp
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")


def inputs(length=7):
    return draw((length, 4, 3), 0), draw((length, 2, 3), 1), draw((length, 2, 2), 2)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 9), st.integers(1, 10), st.booleans())
def test_chunks_do_not_matter(length, chunk, normalize):
    options = {"causal": True, "normalize": normalize}
    query, key, value = inputs(length)
    y = nn.linear_attention(query, key, value, chunk=chunk, **options)
    close(y, nn.linear_attention(query, key, value, **options))


def test_the_past_does_not_see_the_future():
    query, key, value = inputs()
    changed = [x.at[4:].set(jnp.nan) for x in (query, key, value)]
    y = nn.linear_attention(query, key, value, causal=True, chunk=2)
    close(nn.linear_attention(*changed, causal=True, chunk=2)[:4], y[:4])


def test_padding_is_never_read():
    query, key, value = (x[None] for x in inputs())
    lengths = jnp.array([5])

    @jax.jit
    @jax.grad
    def pull(inputs):
        return jnp.sin(nn.linear_attention(*inputs, key_lengths=lengths)).sum()

    grads = pull((query, key.at[:, 5:].set(jnp.nan), value.at[:, 5:].set(jnp.nan)))
    for x, short in zip(grads[1:], pull((query, key, value))[1:], strict=True):
        close(x, short)


def test_far_keys_keep_their_weights():
    key = jnp.full((2, 1, 1), -600.0).at[1].add(jnp.log(3.0))
    value = jnp.array([1.0, 5.0])[:, None, None]
    close(nn.linear_attention(jnp.zeros((1, 1, 1)), key, value), jnp.full((1, 1, 1), 4.0))
