"""Mistakes with metrics."""

# pyright: reportArgumentType=false

import jax.numpy as jnp

from jaxnet import metrics as m

LOGITS, LABELS = jnp.zeros((8, 3)), jnp.zeros(8, int)
CHANCES, TARGETS = jnp.full((8, 3), 0.5), jnp.zeros((8, 3), int)
IMAGES = jnp.ones((2, 8, 8, 3))
MATRIX = jnp.ones((3, 3), int)
WRONG = LABELS[:7]


def seven(name, call):
    """Of seven labels for eight rows."""
    return (f"metrics.{name}", call, f"{name} was given", "int32[7]", "each row of the predictions")


def unequal(name, call):
    """Of predictions and targets that do not have one shape."""
    return (f"metrics.{name}", call, f"{name} compares entry with entry", "never broadcasts")


def logits(name, call):
    """Of numbers where probabilities were needed."""
    return (f"metrics.{name}", call, f"the prediction of {name}", "not within [0, 1]", "jax.nn.")


def no_matrix(name):
    """Of scores where a confusion matrix was needed."""
    call = lambda: getattr(m, name)(LOGITS)
    return (f"metrics.{name}", call, "a confusion matrix", "float32[8,3]", "confusion_matrix(")


def no_average(name):
    """Of an average there is not."""
    call = lambda: getattr(m, name)(MATRIX, "makro")
    return (f"metrics.{name}", call, f"{name} has no average='makro'", "did you mean 'macro'")


AVERAGED = ("precision", "recall", "specificity", "f_beta", "iou")
SINGLE = ("matthews", "cohen_kappa")
ALL = (*AVERAGED, *SINGLE, "precision_recall_f1", "mean_iou", "balanced_accuracy")
REGRESSION = ("r2", "explained_variance", "pearson", "concordance")
CURVES = ("roc_curve", "roc_auc", "precision_recall_curve", "average_precision")

MISTAKES = [
    seven("accuracy", lambda: m.accuracy(LOGITS, WRONG)),
    (
        "metrics.accuracy",
        lambda: m.accuracy(LOGITS, LABELS, mask=LABELS),
        "mask of accuracy must be an array of bool",
        "int32[8]",
    ),
    (
        "metrics.accuracy",
        lambda: m.accuracy(LOGITS, LABELS, weights=jnp.ones(7)),
        "weights of accuracy must have the shape",
        "float32[7]",
    ),
    seven("top_k_accuracy", lambda: m.top_k_accuracy(LOGITS, WRONG, 2)),
    ("metrics.top_k_accuracy", lambda: m.top_k_accuracy(LOGITS, LABELS), "k=5 of", "at most", "3"),
    ("metrics.top_k_accuracy", lambda: m.top_k_accuracy(LOGITS, LABELS, 0), "k of top_k", "is 0"),
    unequal("binary_accuracy", lambda: m.binary_accuracy(CHANCES, LABELS)),
    logits("binary_accuracy", lambda: m.binary_accuracy(CHANCES + 2, TARGETS)),
    seven("brier", lambda: m.brier(CHANCES, WRONG)),
    logits("brier", lambda: m.brier(LOGITS - 1, LABELS)),
    seven("confusion_matrix", lambda: m.confusion_matrix(3)(LOGITS, WRONG)),
    ("metrics.confusion_matrix", lambda: m.confusion_matrix(2.0), "classes of confusion_matrix"),
    (
        "metrics.confusion_matrix",
        lambda: m.confusion_matrix(3)(LOGITS, LABELS, weights=jnp.ones(8)),
        "confusion_matrix counts examples",
        "float32[8]",
        "weighted=True",
    ),
    ("metrics.multilabel_confusion", lambda: m.multilabel_confusion(0), "labels of", "is 0"),
    unequal("multilabel_confusion", lambda: m.multilabel_confusion(3)(CHANCES, LABELS)),
    logits("multilabel_confusion", lambda: m.multilabel_confusion(3)(CHANCES + 1, TARGETS)),
    (
        "metrics.multilabel_confusion",
        lambda: m.multilabel_confusion(1)(CHANCES[:, 0], TARGETS[:, 0]),
        "multilabel_confusion has 1 labels",
        "float32[8]",
        "probabilities[..., None]",
    ),
    *map(no_matrix, ALL),
    *map(no_average, AVERAGED),
    ("metrics.f_beta", lambda: m.f_beta(MATRIX, beta=0), "beta of f_beta", "above 0"),
    *(
        (
            f"metrics.{name}",
            lambda name=name: getattr(m, name)(jnp.ones((4, 2, 2))),
            f"{name} takes one confusion matrix",
            "float32[4,2,2]",
            f"jax.vmap({name})",
        )
        for name in SINGLE
    ),
    (
        "metrics.cohen_kappa",
        lambda: m.cohen_kappa(MATRIX, distance="square"),
        "cohen_kappa has no distance='square'",
        "quadratic",
    ),
    *(unequal(name, lambda name=name: getattr(m, name)(CHANCES[:, 0], TARGETS)) for name in CURVES),
    *(
        (
            f"metrics.{name}",
            lambda name=name: getattr(m, name)(CHANCES, 2 * TARGETS + 2),
            f"the target of {name}",
            "not within [0, 1]",
        )
        for name in CURVES
    ),
    ("metrics.roc_auc", lambda: m.roc_auc(CHANCES, TARGETS), "no example", "has the label 1"),
    ("metrics.binned", lambda: m.binned(m.roc_auc, 0), "bins of binned", "is 0"),
    ("metrics.binned", lambda: m.binned(m.roc_auc, low=1.0), "low of binned must be below high"),
    unequal("binned", lambda: m.binned(m.roc_auc)(CHANCES, LABELS)),
    *(unequal(name, lambda name=name: getattr(m, name)()(CHANCES, LABELS)) for name in REGRESSION),
    *(
        (
            f"metrics.{name}",
            lambda name=name: getattr(m, name)(2)(CHANCES, CHANCES),
            f"{name} has 2 outputs",
            "float32[8,3]",
            "leave out outputs",
        )
        for name in REGRESSION
    ),
    ("metrics.r2", lambda: m.r2(0), "outputs of r2", "is 0"),
    ("metrics.reliability", lambda: m.reliability(0), "bins of reliability", "is 0"),
    seven("reliability", lambda: m.reliability()(CHANCES, WRONG)),
    logits("reliability", lambda: m.reliability()(LOGITS + 2, LABELS)),
    *(
        (
            f"metrics.{name}",
            lambda name=name: (
                m.reliability().then(getattr(m, name)).compute(m.reliability().init())
            ),
            "the mean of nothing",
            "update the metric first",
        )
        for name in ("expected_calibration_error", "maximum_calibration_error")
    ),
    ("metrics.perplexity", lambda: m.perplexity()(LOGITS, WRONG), "one for all arrays", "int32[7]"),
    (
        "metrics.perplexity",
        lambda: m.perplexity()(LABELS, LABELS),
        "the prediction of perplexity must be floating point",
    ),
    ("metrics.psnr", lambda: m.psnr(IMAGES, IMAGES[0]), "psnr compares entry with", "broadcast_to"),
    ("metrics.psnr", lambda: m.psnr(LOGITS, LOGITS), "psnr needs at least 3 axes", "float32[8,3]"),
    ("metrics.psnr", lambda: m.psnr(IMAGES, IMAGES, peak=0), "peak of psnr", "above 0"),
    (
        "metrics.psnr",
        lambda: m.psnr(IMAGES, IMAGES.astype(int)),
        "the target of psnr must be",
        "255",
    ),
    (
        "metrics.ssim",
        lambda: m.ssim(IMAGES, IMAGES),
        "the window (11, 11) of ssim must fit",
        "float32[2,8,8,3]",
        "smaller window",
    ),
    ("metrics.ssim", lambda: m.ssim(IMAGES, IMAGES, window=0), "window of ssim", "at least 1"),
    ("metrics.ssim", lambda: m.ssim(IMAGES, IMAGES, sigma=-1.0), "sigma of ssim", "above 0"),
    ("metrics.ssim", lambda: m.ssim(LOGITS, LOGITS), "ssim needs at least 3 axes"),
    (
        "metrics.streaming",
        lambda: m.streaming(m.accuracy)(LOGITS, LABELS, weights=jnp.ones(8)),
        "streaming counts examples",
        "weighted=True",
    ),
    (
        "metrics.streaming",
        lambda: m.streaming(m.accuracy)(LOGITS, LABELS, mask=jnp.ones(7, bool)),
        "one for all arrays",
        "bool[7]",
    ),
]
