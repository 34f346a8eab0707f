"""Cross-entropies against their formulas in NumPy float64, at the edges too."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxnet import losses

type Array = np.ndarray


@pytest.fixture(autouse=True, scope="module")
def strict() -> Iterator[None]:
    with jax.numpy_dtype_promotion("strict"):
        yield


def graded(loss: Callable[..., Any]) -> Callable[..., Any]:
    return jax.jit(jax.value_and_grad(loss))


binary, sigmoidal, softmaxed, categorical = map(
    graded,
    (
        losses.binary_cross_entropy,
        losses.sigmoid_cross_entropy,
        losses.softmax_cross_entropy,
        losses.categorical_cross_entropy,
    ),
)
smoothed = graded(lambda z, labels: losses.softmax_cross_entropy(z, labels, smoothing=0.1))


def few(examples: int = 20) -> Callable[..., Any]:
    return settings(deadline=None, max_examples=examples)


def log_softmax(z: Array) -> Array:
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def sigmoid(z: Array) -> Array:
    return np.exp(-np.logaddexp(0, -z))


extreme = st.floats(-30, 30, width=32) | st.sampled_from([0.0, 1e4, -1e4])
share = st.floats(0, 1, width=32, allow_subnormal=False) | st.sampled_from([0.0, 1.0, 0.5])


@given(arrays(np.float32, 6, elements=share), arrays(np.float32, 6, elements=share))
@few()
def test_binary_cross_entropy(p: Array, y: Array) -> None:
    wide, y = p.astype(np.float64), y.astype(np.float64)
    with np.errstate(divide="ignore"):
        logs = [np.maximum(log, -100) for log in (np.log(wide), np.log1p(-wide))]
    value, grad = binary(jnp.array(p), jnp.array(y))
    np.testing.assert_allclose(value, -(y * logs[0] + (1 - y) * logs[1]).mean(), rtol=1e-5)
    terms = np.stack([-y * (1 - wide), (1 - y) * wide]) / np.maximum(wide * (1 - wide), 1e-12) / 6
    error = np.abs(grad - terms.sum(0))
    assert np.isfinite(grad).all()
    assert (error <= 1e-5 * np.abs(terms).max(0) + 1e-7).all()


def test_binary_cross_entropy_has_the_textbook_derivative() -> None:
    """Of sigmoid(x w + b), the gradient is 1/n X^T (sigmoid - y)."""
    rng = np.random.default_rng(0)
    x, w, y = rng.standard_normal((6, 3)), rng.standard_normal(3), rng.integers(0, 2, 6)

    def loss(w: jax.Array) -> jax.Array:
        return losses.binary_cross_entropy(jax.nn.sigmoid(x @ w), jnp.asarray(y))

    with jax.enable_x64(True):
        value, grad = graded(loss)(jnp.asarray(w))
        forward, hessian = (jax.jit(f(loss))(jnp.asarray(w)) for f in (jax.jacfwd, jax.hessian))
    p = sigmoid(x @ w)
    np.testing.assert_allclose(value, -np.log(np.where(y == 1, p, 1 - p)).mean(), rtol=1e-12)
    np.testing.assert_allclose(grad, x.T @ (p - y) / 6, rtol=1e-10)
    np.testing.assert_allclose(forward, grad, rtol=1e-10)
    np.testing.assert_allclose(hessian, x.T @ (x * (p * (1 - p))[:, None]) / 6, rtol=1e-8)


@given(arrays(np.float32, 6, elements=extreme), arrays(np.float32, 6, elements=share))
@few()
def test_sigmoid_cross_entropy(z: Array, y: Array) -> None:
    wide, y = z.astype(np.float64), y.astype(np.float64)
    value, grad = sigmoidal(jnp.array(z), jnp.array(y))
    expected = y * np.logaddexp(0, -wide) + (1 - y) * np.logaddexp(0, wide)
    np.testing.assert_allclose(value, expected.mean(), rtol=1e-5)
    np.testing.assert_allclose(grad, (sigmoid(wide) - y) / 6, rtol=1e-5, atol=1e-7)


def test_sigmoid_cross_entropy_keeps_tiny_losses_and_the_curvature_at_zero() -> None:
    sure = losses.sigmoid_cross_entropy(jnp.array([30.0, -30.0]), jnp.array([1, 0]))
    np.testing.assert_allclose(sure, np.exp(-30), rtol=1e-5)
    hessian = jax.hessian(losses.sigmoid_cross_entropy)
    hessian = jax.jit(hessian)(jnp.zeros(2), jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(hessian, np.eye(2) / 8)


@pytest.mark.parametrize("dtype", [bool, int, jnp.uint8, jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("name", ["binary_cross_entropy", "sigmoid_cross_entropy"])
def test_binary_targets_of_any_dtype(name: str, dtype: Any) -> None:
    loss, p = getattr(losses, name), jnp.array([0.3, 0.9])
    assert loss(p, jnp.array([0, 1], dtype)) == loss(p, jnp.array([0.0, 1.0]))


@given(
    arrays(np.float32, (3, 4), elements=extreme),
    arrays(np.int32, 3, elements=st.integers(0, 3)),
    st.sampled_from([0.0, 0.1]),
)
@few()
def test_softmax_cross_entropy(z: Array, labels: Array, smoothing: float) -> None:
    target = (1 - smoothing) * np.eye(4)[labels] + smoothing / 4
    log_p = log_softmax(z.astype(np.float64))
    for given_labels in (jnp.array(labels), losses.one_hot(jnp.array(labels), 4)):
        value, grad = (smoothed if smoothing else softmaxed)(jnp.array(z), given_labels)
        np.testing.assert_allclose(value, -(target * log_p).sum(-1).mean(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(grad, (np.exp(log_p) - target) / 3, rtol=1e-5, atol=1e-6)


@given(st.integers(0, 2**32 - 1))
@few(10)
def test_cross_entropy_of_distributions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z, shares, p = rng.standard_normal((2, 3, 4)), *rng.dirichlet(np.ones(4), (2, 2, 3))
    p = 2 * p  # Keras divides by the sum
    z32, s32, p32 = (jnp.asarray(x, jnp.float32) for x in (z, shares, p / 2))
    np.testing.assert_allclose(
        losses.softmax_cross_entropy(z32, s32), -(shares * log_softmax(z)).sum(-1).mean(), rtol=1e-5
    )
    clipped = np.clip(p / p.sum(-1, keepdims=True), 1e-7, 1 - 1e-7)
    expected = -(shares * np.log(clipped)).sum(-1).mean()
    np.testing.assert_allclose(losses.categorical_cross_entropy(p32, s32), expected, rtol=1e-5)
    halved = losses.categorical_cross_entropy(0.5 * p32, s32)
    np.testing.assert_allclose(halved, expected, rtol=1e-5)


def test_categorical_cross_entropy_is_clipped_as_in_keras() -> None:
    p, labels = jnp.array([[0.0, 1.0], [0.0, 1.0]]), jnp.array([0, 1])
    value, grad = categorical(p, labels)
    expected = -(np.log(1e-7) + np.log(np.float32(1 - 1e-7))) / 2
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_array_equal(grad, 0)
    inside = categorical(jnp.array([[0.25, 0.75]]), labels[:1])[1]
    np.testing.assert_allclose(inside, [[1 - 1 / 0.25, 1]], rtol=1e-6)  # 1/sum - target/p


def test_ruled_out_classes_cost_nothing() -> None:
    z = jnp.array([[0.0, -jnp.inf, 1.0]])
    without = losses.softmax_cross_entropy(z[:, ::2], jnp.array([1]))
    for labels in (jnp.array([2]), jnp.array([[0.0, 0.0, 1.0]])):
        value, grad = softmaxed(z, labels)
        np.testing.assert_allclose(value, without)
        assert np.isfinite(grad).all()
        assert grad[0, 1] == 0
        assert np.isfinite(jax.jit(jax.jacfwd(losses.softmax_cross_entropy))(z, labels)).all()


CLASSES: dict[str, jax.Array] = dict.fromkeys(
    ("softmax_cross_entropy", "categorical_cross_entropy"), jnp.ones((2, 3))
)
BINARY: dict[str, jax.Array] = dict.fromkeys(
    ("binary_cross_entropy", "sigmoid_cross_entropy"), jnp.full((8, 1), 0.5)
)


@pytest.mark.parametrize("name", CLASSES)
def test_gradients_of_class_numbers_have_no_gather_or_scatter(name: str) -> None:
    jaxpr = jax.make_jaxpr(jax.grad(getattr(losses, name)))(CLASSES[name], jnp.array([0, 2]))
    assert "select_n" in str(jaxpr)
    assert "scatter" not in str(jaxpr)
    assert "gather" not in str(jaxpr)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("label", [3, -1, 2**31 - 1])
def test_labels_that_do_not_exist_are_nan_under_jit(name: str, label: int) -> None:
    assert np.isnan(jax.jit(getattr(losses, name))(CLASSES[name], jnp.array([0, label])))


def test_improbable_probabilities_are_nan_under_jit() -> None:
    for p in (-0.1, 1.1):
        for y in (0, 1):
            assert np.isnan(jax.jit(losses.binary_cross_entropy)(jnp.array([p]), jnp.array([y])))


def test_diverged_inputs_give_nan_rather_than_an_error() -> None:
    nan = jnp.full((2, 2), jnp.nan)
    assert np.isnan(losses.binary_cross_entropy(nan, jnp.ones((2, 2))))
    assert np.isnan(losses.categorical_cross_entropy(nan, jnp.array([0, 1])))


@pytest.mark.oracle("losses.one_hot")
@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.int8, jnp.int32, jnp.uint32])
def test_one_hot_holds_more_classes_than_a_byte(dtype: Any) -> None:
    labels = jnp.array([1, 99], dtype)
    np.testing.assert_array_equal(losses.one_hot(labels, 300), np.eye(300)[[1, 99]])
    assert losses.one_hot(labels, 300).dtype == jnp.float32
    rows = jax.jit(losses.one_hot, static_argnums=1)(labels, 4)
    assert np.isnan(rows[1]).all()
    assert (rows[0] == np.eye(4)[1]).all()


@pytest.mark.parametrize("name", [*CLASSES, *BINARY])
def test_dtypes_jit_and_vmap(name: str) -> None:
    plain = getattr(losses, name)
    loss = jax.jit(plain)
    p = jnp.asarray(np.random.default_rng(0).dirichlet(np.ones(3), (4, 5)), jnp.float32)
    y = jnp.eye(3)[p.argmax(-1)]
    value = loss(p, y)
    np.testing.assert_allclose(plain(p, y), value, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(jax.vmap(plain))(p, y).mean(), value, rtol=1e-6)
    if name in CLASSES:
        np.testing.assert_allclose(loss(p, y.argmax(-1)), value, rtol=1e-6)
    half = p.astype(jnp.bfloat16)
    np.testing.assert_allclose(loss(half, y), loss(half.astype(jnp.float32), y), rtol=1e-6)
    assert loss(half, y).dtype == jnp.float32
    assert jax.jit(jax.grad(plain))(half, y).dtype == jnp.bfloat16


ROWS, IDS = jnp.full((2, 3), 0.25), jnp.array([0, 2])
CLASS_ERRORS = {
    r"class numbers of shape \(2,\) or distributions of shape \(2, 3\); drop.*labels.squeeze\(-1\)":
        (ROWS, IDS[:, None]),
    r"labels int32\[3\], but needs.*each row of the predictions needs one label":
        (ROWS, jnp.arange(3)),
    r"labels a list.*wrap the labels: jnp.asarray": (ROWS, [0, 2]),
    r"must be integers, but are float32\[2\].*astype\(jnp.int32\), or.*one_hot":
        (ROWS, jnp.array([0.0, 2.0])),
    r"lie between 1 and 3, but 3 classes have the numbers 0 to 2; subtract 1": (ROWS, IDS + 1),
    r"lie between -100 and 0, but 3 classes.*leave out examples": (ROWS, jnp.array([0, -100])),
    r"a row sums to 2.0, not 1.*use sigmoid_cross_entropy":
        (ROWS, jnp.array([[0, 1, 1], [1, 0, 0]])),
    r"the mean of nothing": (ROWS[:0], IDS[:0]),
    r"the prediction of \w+ must be floating point, but is int32\[2,3\]": (ROWS.astype(int), IDS),
    r"needs at least 1 axes": (jnp.float32(0.5), jnp.int32(0)),
}  # fmt: skip
BINARY_ERRORS = {
    r"never broadcasts.*float32\[8,1\].*int32\[8\].*predictions.squeeze\(-1\)":
        (BINARY["binary_cross_entropy"], jnp.zeros(8, int)),
    r"the target of \w+ lies between -1.0 and 1.0.*\(y \+ 1\) / 2":
        (ROWS, jnp.array([[-1, 1, 1], [1, 1, -1]])),
    r"the mean of nothing": (ROWS[:0], ROWS[:0]),
    r"the prediction of \w+ must be floating point, but is bool": (ROWS > 0, ROWS),
    r"the target of \w+ must be an array, but is a list": (ROWS, [0, 1]),
}  # fmt: skip
PROBABILITY_ERRORS = {
    "binary_cross_entropy": r"between -2.0 and 3.0, not within \[0, 1\]; give logits to sigmoid_",
    "categorical_cross_entropy": r"between -2.0 and 3.0, not within \[0, 1\]; give logits to softm",
}


@pytest.mark.parametrize(
    ("name", "message", "inputs"),
    [(name, *case) for name in CLASSES for case in CLASS_ERRORS.items()]
    + [(name, *case) for name in BINARY for case in BINARY_ERRORS.items()]
    + [(name, message, (jnp.array([[-2.0, 3.0]]), jnp.array([[0.0, 1.0]])))
       for name, message in PROBABILITY_ERRORS.items()],
)  # fmt: skip
def test_errors(name: str, message: str, inputs: Any) -> None:
    with pytest.raises(ValueError, match=message) as error:
        getattr(losses, name)(*inputs)
    assert name in str(error.value) or "axes" in message


def test_other_errors() -> None:
    with pytest.raises(ValueError, match=r"smoothing is a share.*below 1, but is 1.5"):
        losses.softmax_cross_entropy(ROWS, IDS, smoothing=1.5)
    with pytest.raises(ValueError, match="the labels of one_hot lie between 0 and 2"):
        losses.one_hot(IDS, 2)
    with pytest.raises(ValueError, match=r"class numbers of one_hot must be integers.*float32"):
        losses.one_hot(ROWS, 3)
    with pytest.raises(ValueError, match="classes of one_hot must be an int of at least 1"):
        losses.one_hot(IDS, 0)
    with pytest.raises(ValueError, match=r"labels must be an array, but are a list"):
        losses.one_hot([0, 1], 2)  # pyright: ignore[reportArgumentType]
