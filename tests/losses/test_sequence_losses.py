"""CTC against the sum over all alignments, one by one."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import losses

run = jax.jit(jax.value_and_grad(losses.ctc))


def alignments(labels, times, classes, blank):
    """All rows of ``times`` classes that are the labels without repetitions and blanks."""
    paths = itertools.product(range(classes), repeat=times)
    kept = lambda path: [c for c, _ in itertools.groupby(path) if c != blank]
    return [path for path in paths if kept(path) == list(labels)]


def by_hand(logits, labels, blank):
    log_p = jax.nn.log_softmax(logits)
    times, classes = logits.shape
    paths = np.array(alignments(labels, times, classes, blank))
    scores = log_p[np.arange(len(logits)), paths].sum(-1)
    return -jax.nn.logsumexp(scores) / max(len(labels), 1)


@pytest.mark.oracle("losses.ctc", gradients=True)
@pytest.mark.parametrize("labels", [(), (1, 1), (2, 1, 2)])
def test_sum_over_all_alignments(labels):
    with jax.enable_x64(True):
        logits = jnp.asarray(np.random.default_rng(len(labels)).normal(size=(4, 3)))
        value, grad = run(logits, jnp.array(labels, int))
        expected, slopes = jax.jit(jax.value_and_grad(lambda z: by_hand(z, labels, 0)))(logits)
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    np.testing.assert_allclose(grad, slopes, rtol=1e-8, atol=1e-12)


@given(st.lists(st.integers(1, 2), min_size=3, max_size=3), st.integers(0, 3), st.integers(1, 5))
@settings(deadline=None, max_examples=15)
def test_what_is_beyond_the_lengths_does_not_matter(labels, size, times):
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)), jnp.float32)
    value, grad = run(logits, jnp.array(labels), jnp.array(times), jnp.array(size))
    other = logits.at[times:].set(7.0)
    padded = jnp.array(labels).at[size:].set(-5)
    again, same = run(other, padded, jnp.array(times), jnp.array(size))
    np.testing.assert_allclose(value, again)
    np.testing.assert_allclose(grad, same)
    assert not grad[times:].any()
    needed = size + sum(a == b for a, b in itertools.pairwise(labels[:size]))
    assert jnp.isinf(value) == (needed > times)
    assert jnp.isfinite(grad).all()


def test_long_sequences_and_impossible_classes_stay_finite():
    logits = jnp.full((2000, 4), 5.0, jnp.bfloat16).at[:, 3].set(-jnp.inf)
    value, grad = run(logits, jnp.array([1, 2] * 50))
    assert jnp.isfinite(value)
    assert jnp.isfinite(grad).all()
    impossible, grad = run(logits, jnp.array([1, 3]))
    assert jnp.isinf(impossible)
    assert not grad.any()


def test_a_mask_takes_out_whatever_there_is():
    logits = jnp.stack([jnp.zeros((4, 3)), jnp.full((4, 3), jnp.nan)])
    labels, mask = jnp.array([[1, 2], [0, 9]]), jnp.array([True, False])
    value, grad = run(logits, labels, mask=mask)
    assert losses.ctc(logits, labels, mask=mask) == value  # and nothing is wrong where it is seen
    np.testing.assert_allclose(value, run(logits[0], labels[0])[0], rtol=1e-6)
    assert jnp.isfinite(grad).all()
    assert not grad[1].any()


def test_second_derivatives_are_finite():
    slopes = lambda z: jax.grad(losses.ctc)(z, jnp.array([1]))
    z = jnp.zeros((2, 3))
    curvature = jax.jit(lambda along: jax.jvp(slopes, (z,), (along,))[1])
    np.testing.assert_allclose(curvature(z + 1), 0, atol=1e-6)  # a shift of all logits is none
    assert jnp.isfinite(curvature(z.at[0, 1].set(1))).all()
