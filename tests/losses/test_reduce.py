"""What weights, mask and reduction mean is the same for every loss."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from catalogue.losses import LABELLED, PAIRS

from jaxnet import losses

KEPT = np.array([True, False, True, True])
EACH = PAIRS | LABELLED | {"circle": (jnp.ones((4, 3)), jnp.array([0, 2, 1, 0]))}
# Their examples see each other.
TOGETHER = {"info_nce", "nt_xent", "siglip", "circle", "dice", "tversky"}


@functools.cache
def drawn(name):
    rng = np.random.default_rng(0)
    floats = lambda a: jnp.issubdtype(getattr(a, "dtype", int), jnp.floating)
    return [
        a * jnp.asarray(rng.uniform(0.2, 1, a.shape), a.dtype) if floats(a) else a
        for a in EACH[name]
    ]


def rows(args, at):
    return [a[at] if hasattr(a, "shape") else a for a in args]


def call(name, args, **options):
    return getattr(losses, name)(*args, **options)


def spoilt(x):
    if not hasattr(x, "shape"):
        return x
    bad = np.array(x)
    bad[~KEPT] = np.nan if bad.dtype.kind == "f" else 99
    return jnp.asarray(bad)


@pytest.mark.parametrize("name", EACH)
def test_what_a_mask_takes_out_is_as_good_as_not_there(name):
    x, *more = drawn(name)
    bad, *worse = map(spoilt, (x, *more))
    arrays = [a for a in more if hasattr(a, "shape")]
    rest = more[len(arrays) :]

    @jax.jit
    @jax.value_and_grad
    def graded(x, mask, *arrays):
        return call(name, [x, *arrays, *rest], mask=mask)

    value, grad = graded(bad, jnp.asarray(KEPT), *worse[: len(arrays)])
    # Not under jit, so that values are checked.
    np.testing.assert_allclose(call(name, [bad, *worse], mask=jnp.asarray(KEPT)), value, rtol=1e-5)
    expected = call(name, rows([x, *more], KEPT))
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(grad, graded(x, jnp.asarray(KEPT), *arrays)[1], rtol=1e-6)
    assert not grad[~KEPT].any()
    value, grad = graded(x, jnp.zeros(4, bool), *arrays)
    assert value == 0
    assert not grad.any()


@pytest.mark.parametrize("name", sorted(EACH.keys() - TOGETHER))
def test_a_weight_counts_like_repetition(name):
    args = drawn(name)
    value = call(name, args, weights=jnp.array([2.0, 1.0, 0.0, 1.0]))
    expected = call(name, rows(args, np.array([0, 0, 1, 3])))
    np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(EACH.keys() - {"dice", "tversky", "circle"}))
def test_reductions_are_those_of_each_loss(name):
    fn = functools.partial(getattr(losses, name), *drawn(name))
    each = fn(reduction="none")
    assert each.shape[0] == 4
    np.testing.assert_allclose(fn(), each.mean(), rtol=1e-5)
    np.testing.assert_allclose(fn(reduction="sum"), each.sum(), rtol=1e-5)
    ones = jnp.ones_like(each)
    np.testing.assert_allclose(fn(weights=ones), fn(), rtol=1e-5)
    np.testing.assert_allclose(fn(weights=3 * ones, reduction="none"), 3 * each, rtol=1e-5)


@pytest.mark.oracle("losses.reduce", gradients=True)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_reduce(reduction):
    rng = np.random.default_rng(0)
    each, weights = rng.normal(size=(3, 2)), rng.uniform(size=3)
    mask = np.array([[True, True], [False, True], [True, False]])
    w = np.where(mask, weights[:, None], 0)
    scale = w / w.sum() if reduction == "mean" else w
    expected = scale * each if reduction == "none" else (scale * each).sum()
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        each, weights, mask = map(jnp.asarray, (each, weights, mask))
        fn = lambda each: losses.reduce(each, weights, mask, reduction)
        np.testing.assert_allclose(fn(each), expected, rtol=1e-12)
        grad = jax.grad(lambda each: fn(each).sum())(each)
        np.testing.assert_allclose(grad, scale, rtol=1e-12)


def test_weights_that_sum_to_0_give_0():
    assert losses.reduce(jnp.ones(3), jnp.zeros(3)) == 0


def test_without_options_the_program_is_the_plain_one():
    plain = lambda p, y: jnp.square(p - y).mean()
    x = jnp.ones((4, 3))
    ours = jax.make_jaxpr(losses.mean_squared_error)(x, x)
    assert str(ours) == str(jax.make_jaxpr(plain)(x, x))


LARGE = jnp.array([[6e4, -6e4, 0], [-6e4, 6e4, 6e4]], jnp.float16)
IDS = jnp.array([1, 0])
OF_LARGE = {
    "softmax_cross_entropy": IDS,
    "sigmoid_cross_entropy": jnp.array([[1, 0, 1], [1, 1, 0]]),
    "sigmoid_focal": jnp.array([[1, 0, 1], [1, 1, 0]]),
    "softmax_focal": IDS,
    "distillation": -LARGE,
    "soft_margin": jnp.array([[1, -1, 1], [1, 1, -1]]),
    "mean_squared_error": -LARGE,
    "log_cosh": -LARGE,
}


@pytest.mark.parametrize("name", OF_LARGE)
def test_large_half_precision_scores_stay_finite(name):
    value, grad = jax.jit(jax.value_and_grad(getattr(losses, name)))(LARGE, OF_LARGE[name])
    assert value.dtype == jnp.float32
    assert jnp.isfinite(value)
    assert grad.dtype == jnp.float16
    assert jnp.isfinite(grad).all()
