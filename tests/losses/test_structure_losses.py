"""Properties of losses between regions, batches of pairs, and models; and those of callables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxnet import losses

key = jax.random.key(0)
shares = arrays(np.float32, (2, 6), elements=st.floats(0, 1, width=32, allow_subnormal=False))
overlaps = [
    jax.jit(lambda p, y, fn=fn: fn(p, y, axis=-1, reduction="none"))
    for fn in (losses.dice, losses.tversky)
]


@given(shares, shares)
@settings(deadline=None, max_examples=20)
def test_dice_lies_between_0_and_1_and_is_tverskys_with_halves(p, y):
    dice, tversky = (np.asarray(fn(jnp.asarray(p), jnp.asarray(y))) for fn in overlaps)
    assert (dice >= -1e-6).all()
    assert (dice <= 1).all()
    sure = (p + y).sum(-1) > 1e-3
    np.testing.assert_allclose(dice[sure], tversky[sure], atol=2e-4)
    np.testing.assert_allclose(overlaps[0](*map(jnp.asarray, (y, p))), dice, atol=1e-6)


def test_a_region_that_is_found_costs_nothing():
    y = jnp.array([[1, 0, 1], [0, 1, 0]])
    assert losses.dice(y.astype(float), y) < 1e-6
    assert losses.dice(1 - y.astype(float), y) == 1
    jaccard = losses.tversky(jnp.array([1.0, 1.0, 0.0]), jnp.array([1, 0, 1]), false_positives=1.0,
                             false_negatives=1.0)  # fmt: skip
    np.testing.assert_allclose(jaccard, 1 - 1 / 3, rtol=1e-5)


@pytest.mark.parametrize("name", ["info_nce", "nt_xent", "siglip"])
def test_pairs_have_no_order_and_vectors_no_length(name):
    x, y = jax.random.normal(key, (2, 5, 3))
    fn = jax.jit(lambda x, y: getattr(losses, name)(x, y, reduction="none"))
    order = jnp.array([3, 0, 4, 1, 2])
    each = fn(x, y)
    np.testing.assert_allclose(fn(x[order], y[order]), each[order], rtol=1e-5)
    np.testing.assert_allclose(fn(7 * x, y / 3), each, rtol=1e-5)
    batched = fn(jnp.stack([x, y]), jnp.stack([y, x]))
    np.testing.assert_allclose(batched[0], each, rtol=1e-5)
    assert jnp.isfinite(jax.grad(lambda x: fn(x, y).sum())(x.at[0].set(0))).all()


def test_a_learnt_temperature_has_a_gradient():
    x, y = jax.random.normal(key, (2, 5, 3))
    fn = lambda log_t: losses.info_nce(x, y, temperature=jnp.exp(log_t))
    assert jnp.isfinite(jax.grad(jax.jit(fn))(0.5))


@pytest.mark.parametrize("kind", ["logistic", "least_squares", "hinge", "wasserstein"])
def test_a_better_score_costs_a_generator_less_and_its_discriminator_more(kind):
    scores = jnp.linspace(-0.9, 0.9, 5)
    paid = losses.gan_generator(scores, kind=kind, reduction="none")
    assert (jnp.diff(paid) < 0).all()
    real, made = jax.grad(losses.gan_discriminator, (0, 1))(scores, scores + 0.05, kind=kind)
    assert (real < 0).all()
    assert (made[3:] > 0).all()


@pytest.mark.oracle("losses.gradient_penalty", gradients=True)
def test_gradient_penalty():
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        real, made = (jnp.asarray(rng.normal(size=(4, 3, 2))) for _ in range(2))
        w = jnp.asarray(rng.normal(size=(3, 2)))
        critic = lambda w: lambda x: (x * jnp.broadcast_to(w, x.shape)).sum((1, 2))
        fn = lambda w: losses.gradient_penalty(critic(w), real, made, key, target=0.5)
        value, grad = jax.value_and_grad(fn)(w)
        norm = np.sqrt((np.asarray(w) ** 2).sum())
        np.testing.assert_allclose(value, (norm - 0.5) ** 2, rtol=1e-12)
        np.testing.assert_allclose(grad, 2 * (norm - 0.5) * w / norm, rtol=1e-12)
        # Half the squared length has the gradient x: so the point itself is seen.
        square = lambda x: jnp.square(x).sum((1, 2)) / 2
        lengths = losses.gradient_penalty(square, real, 3 * real, key, target=0.0, reduction="none")
        ratio = np.sqrt(lengths / np.asarray(jnp.square(real).sum((1, 2))))
    assert (ratio > 1).all()
    assert (ratio < 3).all()
    assert len(set(ratio.round(6).tolist())) == 4


def test_a_flat_critic_has_a_finite_gradient():
    ones = jnp.ones((4, 3))
    fn = lambda a: losses.gradient_penalty(lambda x: a * x.sum(-1), ones, ones, key)
    assert jax.value_and_grad(fn)(0.0) == (1, 0)


@pytest.mark.oracle("losses.triplet_margin_with_distance", gradients=True)
@pytest.mark.parametrize("swap", [False, True])
def test_triplets_with_a_distance(swap):
    with jax.enable_x64(True):
        numbers = np.random.default_rng(0).normal(size=(3, 6, 2))
        anchors, alike, unlike = map(jnp.asarray, numbers)
        square = lambda x, y: jnp.square(x - y).sum(-1)
        fn = lambda a: losses.triplet_margin_with_distance(
            a, alike, unlike, square, margin=0.5, swap=swap
        )
        value, grad = jax.jit(jax.value_and_grad(fn))(anchors)
    a, p, n = numbers
    near, far, other = (((x - y) ** 2).sum(-1) for x, y in ((a, p), (a, n), (p, n)))
    least = np.minimum(far, other) if swap else far
    paid = 0.5 + near - least
    assert 0 < (paid > 0).sum() < 6
    np.testing.assert_allclose(value, np.maximum(paid, 0).mean(), rtol=1e-12)
    slope = 2 * (a - p) - 2 * (a - n) * (least == far)[:, None]
    expected = np.where((paid > 0)[:, None], slope, 0) / 6
    np.testing.assert_allclose(grad, expected, rtol=1e-10, atol=1e-14)


def test_a_student_like_its_teacher_pays_nothing():
    logits = jnp.array([[1.0, 2.0, -jnp.inf], [3.0, 0.0, 1.0]])
    value, grad = jax.value_and_grad(losses.distillation)(logits, logits)
    np.testing.assert_allclose(value, 0, atol=1e-6)
    np.testing.assert_allclose(grad, 0, atol=1e-6)


def test_log_cosh_is_exact_for_errors_of_any_size():
    d = jnp.array([0.0, 1e-4, 0.5, 0.9999, 1.0001, 20.0, 1e4])
    value, slope = jax.vmap(jax.value_and_grad(losses.log_cosh), (0, None))(d, jnp.zeros(()))
    wide = np.asarray(d, np.float64)
    expected = np.logaddexp(wide, -wide) - np.log(2)
    expected[1] = 5e-9  # where float64 has digits to spare for the others alone
    np.testing.assert_allclose(value, expected, rtol=2e-6)
    np.testing.assert_allclose(slope, np.tanh(wide), rtol=2e-6)


def test_kl_of_a_distribution_from_itself_is_0_with_zeros_too():
    p = jnp.array([[0.5, 0.5, 0.0]])
    for targets, option in ((p, False), (jnp.log(p), True)):
        value, grads = jax.value_and_grad(losses.kl_divergence, (0, 1))(
            jnp.log(p), targets, log_target=option
        )
        np.testing.assert_allclose(value, 0, atol=1e-6)
        assert all(jnp.isfinite(grad).all() for grad in grads)
