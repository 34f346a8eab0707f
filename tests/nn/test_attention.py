"""What holds for attention on all inputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn

pytestmark = pytest.mark.usefixtures("strict")


def inputs():
    """Query, key and value; made in a test, for only there they are float64."""
    return draw((2, 4, 4, 3), 0), draw((2, 5, 2, 3), 1), draw((2, 5, 2, 2), 2)


@st.composite
def limits(pick):
    """Options of attention that hide keys, and the pairs that they leave, by a loop."""
    causal, left, right = pick(st.booleans()), pick(st.integers(0, 5)), pick(st.integers(0, 5))
    window = pick(st.sampled_from([None, left, (left, None), (None, right), (left, right)]))
    lengths = [pick(st.tuples(*[st.integers(0, n)] * 2)) for n in (4, 5)]
    mask = np.array(pick(st.lists(st.booleans(), min_size=40, max_size=40))).reshape(2, 4, 5)
    left, right = window if isinstance(window, tuple) else (window, window)
    allowed = np.zeros((2, 4, 5), bool)
    for b, t, s in np.ndindex(allowed.shape):
        allowed[b, t, s] = (
            mask[b, t, s]
            and not (causal and s > t)
            and not (left is not None and s < t - left)
            and not (right is not None and s > t + right)
            and t < lengths[0][b]
            and s < lengths[1][b]
        )
    options = {
        "causal": causal,
        "window": window,
        "query_lengths": jnp.array(lengths[0]),
        "key_lengths": jnp.array(lengths[1]),
        "mask": jnp.array(mask),
    }
    return options, allowed


@settings(max_examples=8, deadline=None)
@given(limits())
@pytest.mark.oracle("nn.attention", "nn.attention_weights")
def test_limits_are_those_of_a_loop(case):
    query, key, value = inputs()
    options, allowed = case
    weights = np.zeros((2, 4, 4, 5))
    for b, h, t in np.ndindex(weights.shape[:3]):
        seen = np.flatnonzero(allowed[b, t])
        scores = np.array([query[b, t, h] @ key[b, s, h // 2] for s in seen]) / np.sqrt(3)
        if seen.size:
            weights[b, h, t, seen] = np.exp(scores) / np.exp(scores).sum()
    close(nn.attention_weights(query, key, **options), jnp.asarray(weights))
    values = np.repeat(value, 2, 2)
    expected = np.einsum("bhts,bshv->bthv", weights, values)
    close(nn.attention(query, key, value, **options), jnp.asarray(expected))


@pytest.mark.parametrize("kind", ["lengths", "mask", "bias"])
def test_what_is_hidden_is_never_read(kind):
    """In the first example two queries see three keys, in the second none sees any."""
    mask = jnp.zeros((2, 4, 5), bool).at[0, :2, :3].set(True)
    lengths = {"key_lengths": jnp.array([3, 0]), "query_lengths": jnp.array([2, 4])}
    bias = jnp.where(mask, 0.0, -jnp.inf)[:, None]
    options = {"lengths": lengths, "mask": {"mask": mask}, "bias": {"bias": bias}}[kind]

    @jax.jit
    def results(fill):
        query, key, value = inputs()
        key, value = (x.at[0, 3:].set(fill).at[1].set(fill) for x in (key, value))
        call = lambda *arrays: nn.attention(*arrays, **options)
        query = query.at[0, 2:].set(fill).at[1].set(fill)
        y, back = jax.vjp(call, query, key, value)
        return y, back(jnp.cos(y))

    expected = results(1.0)
    assert not expected[0][1].any()
    assert not any(x[1].any() for x in expected[1])
    for fill in (jnp.nan, jnp.inf, 1e300):
        jax.tree.map(close, results(fill), expected)


def test_a_future_token_changes_no_earlier_one():
    query, key, value = inputs()
    y = nn.attention(query, key, value, causal=True)
    later = key.at[:, 3:].add(1.0), value.at[:, 3:].add(1.0)
    changed = nn.attention(query, *later, causal=True)
    close(y[:, :3], changed[:, :3])
    assert (jnp.abs(y - changed)[:, 3] > 1e-3).any()


def test_groups_are_repeated_heads():
    query, key, value = inputs()
    more = (jnp.repeat(x, 2, 2) for x in (key, value))
    close(nn.attention(query, key, value, causal=True), nn.attention(query, *more, causal=True))


def test_the_order_of_keys_does_not_matter():
    query, key, value = inputs()
    order = jnp.array([3, 0, 4, 1, 2])
    bias = draw((4, 4, 5), 5)
    expected = nn.attention(query, key, value, bias=bias)
    close(nn.attention(query, key[:, order], value[:, order], bias=bias[..., order]), expected)


def test_a_window_is_a_band():
    band = nn.attention_mask(4, 5, causal=True, window=1)
    assert band.sum() == 7
    windowed = nn.attention(*inputs(), causal=True, window=1)
    close(windowed, nn.attention(*inputs(), mask=band))


@pytest.mark.parametrize("shape", [(0, 3, 5), (2, 0, 5), (2, 3, 0)])
def test_nothing_is_attended_to(shape):
    batch, queries, keys = shape
    query, key = jnp.ones((batch, queries, 2, 4)), jnp.ones((batch, keys, 1, 4))
    y = nn.attention(query, key, key, causal=True)
    assert y.shape == query.shape
    assert keys or not y.any()


def test_large_scores_do_not_overflow():
    x = jnp.full((1, 4, 1, 64), 60.0, jnp.float16)
    y = nn.attention(x, x, x, causal=True, scale=1.0)
    assert y.dtype == jnp.float16
    assert (y == 60).all()


def test_dropout_keeps_the_mean():
    query, key, value = inputs()
    keys = jax.random.split(jax.random.key(0), 500)
    drop = jax.vmap(lambda k: nn.attention(query, key, value, dropout=0.3, dropout_key=k))
    np.testing.assert_allclose(drop(keys).mean(0), nn.attention(query, key, value), atol=0.15)
    close(nn.attention(query, key, value, dropout=0.3), nn.attention(query, key, value))


@given(st.integers(0, 2**31))
@settings(max_examples=5, deadline=None)
def test_additive_attention_of_equal_scores_is_the_mean(seed):
    query, value = draw((2, 4, 3), seed), draw((2, 5, 2), seed + 1)
    key = jnp.broadcast_to(draw((3,), seed + 2), (2, 5, 3))
    y = nn.additive_attention(query, key, value, key_lengths=jnp.array([3, 0]))
    close(y[0], jnp.broadcast_to(value[0, :3].mean(0), (4, 2)))
    assert not y[1].any()


@pytest.mark.parametrize(("queries", "looks"), [(4, False), (5, False), (6, True)])
def test_empty_rows_are_looked_for_only_where_there_can_be_some(queries, looks):
    query, key, value = inputs()
    query = jnp.concatenate([query, query], 1)[:, :queries]
    call = lambda *x: nn.attention(*x, causal=True, window=1)
    assert ("reduce_or" in str(jax.make_jaxpr(call)(query, key, value))) == looks
    # The last of seven queries sees keys 5 and 6, and there are none but 0 to 4.
    y = nn.attention(jnp.concatenate([query, query], 1)[:, :7], key, value, causal=True, window=1)
    assert not y[:, 6].any()
    assert y[:, :6].any((-1, -2)).all()
