"""What holds for every metric: parts make the whole, masks leave out, weights repeat."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnet import metrics as m
from jaxnet.metrics import Metric, accuracy, binary_accuracy, confusion_matrix, streaming


@pytest.fixture(autouse=True, scope="module")
def strict() -> Iterator[None]:
    with jax.numpy_dtype_promotion("strict"):
        yield


N, CLASSES = 12, 4
rng = np.random.default_rng(0)
LOGITS = rng.standard_normal((N, CLASSES)).astype(np.float32)
SHARES = np.asarray(jax.nn.softmax(LOGITS))
CHANCES = rng.random((N, 3)).astype(np.float32)
NUMBERS = rng.standard_normal((N, 2)).astype(np.float32)
IMAGES = rng.random((N, 5, 4, 2)).astype(np.float32)
LABELS = np.arange(N, dtype=np.int32) % CLASSES
TARGETS = np.stack([LABELS > 1, LABELS % 2 > 0, LABELS == 3], -1).astype(np.int32)

type Make = Callable[[bool], Metric]


def mean(fn: Callable[..., jax.Array], **options: Any) -> Make:
    return lambda weighted: streaming(lambda *a, **w: fn(*a, **w, **options), weighted=weighted)


# With and without weights, and data whose first axis holds the examples.
METRICS: dict[str, tuple[Make, Any, Any]] = {
    "accuracy": (mean(m.accuracy), LOGITS, LABELS),
    "top_k_accuracy": (mean(m.top_k_accuracy, k=2), LOGITS, LABELS),
    "binary_accuracy": (mean(m.binary_accuracy), CHANCES, TARGETS),
    "brier": (mean(m.brier), SHARES, LABELS),
    "psnr": (mean(m.psnr), IMAGES, IMAGES[::-1].copy()),
    "ssim": (mean(m.ssim, window=3), IMAGES, IMAGES[::-1].copy()),
    "perplexity": (lambda w: m.perplexity(weighted=w), LOGITS, LABELS),
    "confusion": (lambda w: confusion_matrix(CLASSES, weighted=w), LOGITS, LABELS),
    "multilabel": (lambda w: m.multilabel_confusion(3, weighted=w), CHANCES, TARGETS),
    "roc_auc": (lambda w: m.binned(m.roc_auc, 9, weighted=w), CHANCES, TARGETS),
    "reliability": (lambda w: m.reliability(4, weighted=w), SHARES, LABELS),
    "calibration": (
        lambda w: m.reliability(weighted=w).then(m.expected_calibration_error),
        SHARES,
        LABELS,
    ),
    "r2": (lambda w: m.r2(2, weighted=w), NUMBERS, NUMBERS[::-1].copy()),
    "pearson": (lambda w: m.pearson(2, weighted=w), NUMBERS, CHANCES[:, :2]),
}
every = pytest.mark.parametrize("name", METRICS)


def agree(*results: Any) -> None:
    for other in results[1:]:
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6), results[0], other
        )


@every
def test_parts_make_the_whole(name: str) -> None:
    make, *data = METRICS[name]
    metric = make(False)

    @jax.jit
    def run(*data: jax.Array) -> Any:
        parts = [[x[a:b] for x in data] for a, b in ((0, 4), (4, 8), (8, 12))]
        states = [metric.update(metric.init(), *part) for part in parts]
        first, second, third = states
        step = lambda state, batch: (metric.update(state, *batch), None)
        steps = tuple(jnp.stack(part) for part in zip(*parts, strict=True))
        merges = (
            metric.merge(metric.merge(first, second), third),
            metric.merge(first, metric.merge(second, third)),
            metric.merge(metric.merge(third, metric.init()), metric.merge(first, second)),
            jax.lax.scan(step, metric.init(), steps)[0],
        )
        alone = metric.merge(first, metric.init()), metric.merge(metric.init(), first)
        return metric(*data), [metric.compute(state) for state in merges], first, alone

    whole, merged, first, alone = run(*data)
    agree(whole, *merged)
    agree(first, *alone)


@every
def test_a_mask_leaves_out_whatever_is_there(name: str) -> None:
    make, *data = METRICS[name]
    mask = np.arange(N) % 3 > 0
    blank = [np.where(mask.reshape(-1, *(1,) * (x.ndim - 1)), x, -1) for x in data]
    blank = [
        np.where(x == -1, np.float32(np.nan), x) if x.dtype == np.float32 else x for x in blank
    ]
    metric = make(False)
    kept = jax.jit(metric.__call__)(*(x[mask] for x in data))
    # Two without jit, where values are checked, too.
    call = metric.__call__ if name in ("multilabel", "calibration") else jax.jit(metric.__call__)
    agree(kept, call(*map(jnp.asarray, blank), mask=jnp.asarray(mask)))


@every
def test_weights_count_as_repetitions(name: str) -> None:
    make, *data = METRICS[name]
    times = np.arange(N) % 4
    often = [np.repeat(x, times, axis=0) for x in data]
    weights = jnp.asarray(times / 4, jnp.float32)

    @jax.jit
    def run(*data: jax.Array) -> Any:
        metric = make(True)
        state = metric.update(metric.init(), *(x[:5] for x in data), weights=weights[:5])
        return metric.compute(
            metric.update(state, *(x[5:] for x in data), weights=weights[5:])
        ), make(True)(*data, weights=weights)

    parts, whole = run(*data)
    agree(parts, whole)
    if name in ("confusion", "multilabel", "reliability"):  # which return the counts, too
        leaves = jax.tree.leaves(whole)
        leaves[0] = 4 * leaves[0]
        whole = jax.tree.unflatten(jax.tree.structure(whole), leaves)
    agree(jax.jit(make(False).__call__)(*often), whole)


@every
def test_weights_are_asked_for(name: str) -> None:
    make, *data = METRICS[name]
    metric = make(False)
    with pytest.raises(ValueError, match=r"counts examples .* weighted=True"):
        jax.eval_shape(lambda *data: metric(*data, weights=jnp.ones(N)), *data)


@every
@pytest.mark.parametrize("weighted", [False, True])
def test_states_keep_their_dtypes(name: str, weighted: bool) -> None:
    make, *data = METRICS[name]
    with jax.enable_x64(True):
        data = [x.astype(float) if x.dtype == np.float32 else x for x in data]
        metric = make(weighted)
        state = jax.eval_shape(metric.init)
        new = jax.eval_shape(metric.update, state, *data)
        assert jax.tree.map(lambda x: (x.shape, x.dtype), new) == jax.tree.map(
            lambda x: (x.shape, x.dtype), state
        )
        for x in jax.tree.leaves(jax.eval_shape(metric.compute, state)):
            assert x.dtype == jnp.float64 or (x.dtype == jnp.int32 and not weighted)


@pytest.mark.parametrize("name", ["perplexity", "r2", "calibration", "roc_auc"])
def test_nothing_is_nan_under_jit_and_else_an_error(name: str) -> None:
    metric = METRICS[name][0](False)
    assert np.isnan(jax.jit(metric.compute)(metric.init())).all()
    with pytest.raises(ValueError, match="the mean of nothing is not defined"):
        metric.compute(metric.init())


@pytest.mark.oracle("metrics.streaming")
def test_streaming_stays_exact_over_many_examples() -> None:
    metric = streaming(jnp.mean)
    batches = jnp.broadcast_to(jnp.array([0.0, 1.0, 1.0, 1.0]), (100_000, 4))
    step = lambda state, batch: (metric.update(state, batch), None)
    state, _ = jax.lax.scan(step, {"mean": jnp.array(0.75), "examples": jnp.int32(10**8)}, batches)
    assert state["examples"] == 10**8 + 400_000
    np.testing.assert_allclose(metric.compute(state), 0.75, rtol=1e-6)


def test_binary_accuracy() -> None:
    p = jnp.array([[0.9], [0.5], [0.51], [0.0]])
    for dtype in (bool, int, jnp.float32, jnp.bfloat16):
        assert binary_accuracy(p, jnp.array([[1], [0], [0], [0]], dtype)) == 0.75
    assert binary_accuracy(p, jnp.ones((4, 1))).dtype == jnp.float32


def test_predictions_of_images_and_low_precision() -> None:
    logits = jnp.eye(4, dtype=jnp.bfloat16).reshape(2, 2, 4)
    assert accuracy(logits, jnp.array([[0, 1], [2, 0]])) == 0.75
    assert accuracy(logits, jnp.array([[0, 1], [2, 0]])).dtype == jnp.float32


def test_labels_that_do_not_exist_are_not_counted_under_jit() -> None:
    metric = confusion_matrix(2)
    counts = jax.jit(metric.update)(metric.init(), jnp.eye(3, 2), jnp.array([0, -1, 2]))
    np.testing.assert_array_equal(counts, [[1, 0], [0, 0]])


logits = jnp.zeros((8, 3))
labels = jnp.zeros(8, int)
matrix = confusion_matrix(3)
average = streaming(jnp.mean)
ERRORS = {
    r"accuracy was given.*float32\[8,3\].*int32\[8,1\].*squeeze\(-1\)":
        lambda: accuracy(logits, labels[:, None]),
    r"class numbers of accuracy must be integers, but are float32\[8\]":
        lambda: accuracy(logits, labels.astype(jnp.float32)),
    r"the prediction of accuracy must be floating point": lambda: accuracy(labels, labels),
    r"labels of accuracy lie between 3 and 3, but 3 classes": lambda: accuracy(logits, labels + 3),
    r"accuracy is the mean.*nothing": lambda: accuracy(logits[:0], labels[:0]),
    r"never broadcasts.*float32\[8,3\] and the targets int32\[8\]": lambda: binary_accuracy(
        logits, labels
    ),
    r"between 0.0 and 2.0, not within.*sigmoid\(logits\)":
        lambda: binary_accuracy(jnp.array([0.0, 2.0]), jnp.array([0, 1])),
    r"binary_accuracy is the mean.*nothing": lambda: binary_accuracy(logits[:0], logits[:0]),
    r"matrix has 3 classes, but the logits are float32\[8,4\], with 4":
        lambda: matrix.update(matrix.init(), jnp.zeros((8, 4)), labels),
    r"confusion_matrix was given": lambda: matrix.update(matrix.init(), logits, labels[:7]),
    r"classes of confusion_matrix must be an int": lambda: confusion_matrix(0),
    r"a confusion matrix .* was needed, but float32\[8,3\]":
        lambda: m.precision_recall_f1(logits),
    r"one for all arrays, but was given float32\[8,3\], int32\[7\]":
        lambda: average.update(average.init(), logits, labels[:7]),
    r"first axis.*but was given none": lambda: average.update(average.init()),
    r"first axis.*but was given float32\[\]": lambda: average.update(average.init(), jnp.zeros(())),
    r"averages one number a batch, but was given float32\[8\]":
        lambda: streaming(jnp.sin).update(average.init(), logits[:, 0]),
    r"the mean of nothing is not defined: update": lambda: average.compute(average.init()),
}  # fmt: skip


@pytest.mark.parametrize("message", ERRORS)
def test_errors(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ERRORS[message]()


def test_the_mean_of_nothing_is_nan_under_jit() -> None:
    assert np.isnan(jax.jit(average.compute)(average.init()))
