"""Cross-entropies and what is made of them."""

from typing import Any

import numpy as np
import torch
from case import Case, first
from torch import Tensor
from torch.nn import functional as F

from parts.losses_regression import entry, given, plain, reduced

RNG = np.random.default_rng(0)
LARGE = np.array([[1e3, -1e3, 0.0], [-1e3, -1e3, -1e3], [0.0, 40.0, -40.0], [1e300, 0.0, -1e300]])
TRUE = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
SOFT = RNG.uniform(size=8)
SURE = np.array([0.0, 1.0, 0.0, 1.0, 1e-300, 0.5, 1e-8, 1.0 - 1e-8])
EXTREME = np.array([0.0, 1.0, -50.0, 50.0, 1e4, -1e4, 1e4, 1e300])
LIKELY = RNG.uniform(0.01, 0.99, 8)
LOGITS, IDS, SHARES = (
    RNG.standard_normal((4, 3)),
    np.array([0, 1, 2, 2]),
    RNG.dirichlet(np.ones(3), 4),
)
MASKED = LOGITS.copy()
MASKED[0, 1] = MASKED[1, 0] = -np.inf
SOME = np.array([0, -100, 2, 1])
PIXELS, PIXEL_IDS = RNG.standard_normal((2, 3, 2, 4)), RNG.integers(0, 4, (2, 3, 2))
WEIGHTS = [0.5, 2.0, 1.25]
bce, with_logits, ce = F.binary_cross_entropy, F.binary_cross_entropy_with_logits, F.cross_entropy


def classes(
    name: str,
    call: str,
    fn: Any,
    scores: Any,
    labels: Any,
    ignore: int | None = None,
    **options: Any,
) -> Case:
    """With PyTorch's options by jaxnet's names; its classes come second."""
    more = {} if ignore is None else {"ignore_index": ignore}
    if "class_weights" in options:
        more["weight"] = torch.tensor(options["class_weights"], dtype=torch.float64)
    if "smoothing" in options:
        more["label_smoothing"] = options["smoothing"]
    more["reduction"] = options.get("reduction", "mean")

    def reference(_: Any, x: Tensor, y: Tensor) -> Tensor:
        x, y = (first(z) if z.ndim > 1 and z.is_floating_point() else z for z in (x, y))
        return fn(x.contiguous(), y, **more)

    options |= {} if ignore is None else {"ignore": ignore}
    return Case(name, f"losses.{call}", reference, (scores, labels), options)


def cross(name: str, scores: Any, labels: Any, **options: Any) -> Case:
    return classes(name, "softmax_cross_entropy", ce, scores, labels, **options)


def likelihood(name: str, labels: Any, scores: Any = LOGITS, **options: Any) -> Case:
    return classes(name, "negative_log_likelihood", F.nll_loss, scores, labels, **options)


def masked(_: Any, x: Tensor, y: Tensor, weights: Tensor, mask: Tensor) -> Tensor:
    return reduced(F.cross_entropy(first(x), y, reduction="none"), weights, mask)


def keras(p: Tensor, rows: Tensor, smoothing: float = 0.0) -> Tensor:
    p = (p / p.sum(-1, keepdim=True)).clamp(1e-7, 1 - 1e-7)
    return -((rows * (1 - smoothing) + smoothing / p.shape[-1]) * p.log()).sum(-1)


def rows(y: Tensor, count: int = 3) -> Tensor:
    return F.one_hot(y, count).double() if y.dtype == torch.int64 else y


def divergence(p: Tensor, y: Tensor, reduction: str, log_target: bool = False) -> Tensor:
    if reduction == "mean":
        return F.kl_div(p, y, reduction="batchmean", log_target=log_target)
    return plain(lambda p, y: F.kl_div(p, y, reduction="none", log_target=log_target).sum(-1))(
        p, y, reduction=reduction
    )


def generalized(p: Tensor, y: Tensor) -> Tensor:
    return (1 - (p * rows(y)).sum(-1) ** 0.3) / 0.3


def focal(z: Tensor, y: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    """As written in torchvision."""
    p = torch.sigmoid(z)
    cost = (
        with_logits(z, y.to(z.dtype), reduction="none") * (1 - (p * y + (1 - p) * (1 - y))) ** gamma
    )
    return cost if alpha is None else cost * (alpha * y + (1 - alpha) * (1 - y))


def softmax_focal(z: Tensor, y: Tensor, alpha: Any = 0.25, gamma: float = 2.0) -> Tensor:
    """As written in Keras, without the clip."""
    p = torch.softmax(z, -1)
    return (torch.as_tensor(alpha) * (1 - p) ** gamma * -rows(y) * p.log()).sum(-1)


Z = RNG.standard_normal(8)
CASES = [
    entry("binary_cross_entropy", bce, LIKELY, TRUE),
    entry("binary_cross_entropy", bce, LIKELY, SOFT, name="bce_soft", reduction="none"),
    # Targets as ints, since the logarithms at 0 and 1 are the targets' gradient.
    entry("binary_cross_entropy", lambda p, y, reduction: bce(p, y.double()), SURE,
          TRUE.astype(int), name="bce_sure"),
    entry("binary_cross_entropy", lambda p, y, reduction: bce(p, y * 0.8 + 0.1), LIKELY, TRUE,
          name="bce_smooth", smoothing=0.2),
    entry("sigmoid_cross_entropy", with_logits, Z, TRUE),
    entry("sigmoid_cross_entropy", with_logits, Z, SOFT, name="bce_logits_soft", reduction="sum"),
    entry("sigmoid_cross_entropy", with_logits, EXTREME, TRUE, name="bce_logits_large"),
    entry("sigmoid_cross_entropy", given(with_logits, pos_weight=torch.tensor(2.5).double()), Z,
          TRUE, name="bce_logits_positive", positive_weight=2.5),
    entry("sigmoid_cross_entropy", given(with_logits, pos_weight=torch.tensor(WEIGHTS).double()),
          LOGITS, SHARES, name="bce_logits_positive_classes", positive_weight=WEIGHTS,
          reduction="none"),
    cross("ce", LOGITS, IDS),
    cross("ce_vector", LOGITS[0], np.array(1)),
    cross("ce_one", LOGITS[:, :1], np.zeros(4, int)),
    cross("ce_large", LARGE, IDS),
    cross("ce_masked", MASKED, IDS),
    cross("ce_smooth", LOGITS, IDS, smoothing=0.1),
    cross("ce_shares", LOGITS, SHARES),
    cross("ce_one_hot", LOGITS, np.eye(3)[IDS]),
    cross("ce_shares_large", LARGE, SHARES, reduction="none"),
    cross("ce_shares_smooth_weights", LOGITS, SHARES, smoothing=0.2, class_weights=WEIGHTS),
    cross("ce_weights", LOGITS, IDS, class_weights=WEIGHTS),
    cross("ce_weights_none", LOGITS, IDS, class_weights=WEIGHTS, reduction="none"),
    cross("ce_everything", LOGITS, SOME, class_weights=WEIGHTS, smoothing=0.2, ignore=-100),
    cross("ce_everything_sum", LOGITS, SOME, class_weights=WEIGHTS, smoothing=0.2, ignore=-100,
          reduction="sum"),
    cross("ce_pixels", PIXELS, PIXEL_IDS, ignore=1),
    cross("ce_pixels_none", PIXELS, PIXEL_IDS, ignore=1, reduction="none"),
    Case("ce_mask", "losses.softmax_cross_entropy", masked, (PIXELS, PIXEL_IDS),
         arrays={"weights": RNG.uniform(size=(2, 3, 2)), "mask": RNG.uniform(size=(2, 3)) < 0.6}),
    likelihood("nll", IDS),
    likelihood("nll_everything", SOME, class_weights=WEIGHTS, ignore=-100),
    likelihood("nll_pixels", PIXEL_IDS, PIXELS, ignore=2, reduction="none"),
    entry("categorical_cross_entropy", plain(keras), SHARES, SHARES[::-1].copy(), name="keras"),
    entry("categorical_cross_entropy", plain(lambda p, y: keras(p, rows(y), 0.1)), SHARES * 3, IDS,
          name="keras_smooth", smoothing=0.1),
    entry("categorical_cross_entropy", plain(lambda p, y: keras(p, rows(y))),
          np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [1e-9, 1.0 - 1e-9, 0.0], [0.2, 0.3, 0.4]]),
          np.array([0, 0, 0, 1]), name="keras_sure"),
    entry("generalized_cross_entropy", plain(generalized), SHARES, IDS, q=0.3),
    entry("kl_divergence", divergence, LOGITS, SHARES),
    entry("kl_divergence", divergence, np.log(SHARES), np.abs(LOGITS) / 9, name="kl_sum",
          reduction="sum"),
    entry("kl_divergence", given(divergence, log_target=True), LOGITS, np.log(SHARES),
          name="kl_logs", log_target=True, reduction="none"),
    entry("kl_divergence", lambda p, y, reduction: divergence(p, y.double(), reduction), LOGITS,
          np.eye(3, dtype=int)[IDS], name="kl_zeros"),
    entry("sigmoid_focal", plain(focal), Z, TRUE),
    entry("sigmoid_focal", plain(given(focal, alpha=None, gamma=1.5)), LOGITS, SHARES,
          name="focal_options", alpha=None, gamma=1.5, reduction="sum"),
    entry("sigmoid_focal", plain(given(focal, gamma=0.0)), Z, TRUE, name="focal_0", gamma=0),
    entry("softmax_focal", plain(softmax_focal), LOGITS, IDS),
    entry("softmax_focal", plain(given(softmax_focal, alpha=WEIGHTS, gamma=0.5)), LOGITS, SHARES,
          name="softmax_focal_options", alpha=WEIGHTS, gamma=0.5, reduction="none"),
]  # fmt: skip
