"""Losses."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from catalogue.inputs import normal
from jaxnet import losses, nn

LAYERS = [
    (
        "adaptive-log-softmax",
        nn.AdaptiveLogSoftmax(7, (2, 4), div_value=2.0, bias=True),
        normal(2, 8),
        jnp.array([0, 6]),
    ),
]

X, Y, KEY = jnp.full((4, 3), 0.5), jnp.ones((4, 3)), jax.random.key(0)
SIGNS, IDS, ROW = jnp.ones((4, 3), int), jnp.array([0, 2, 1, 0]), jnp.ones(4, int)
ADAPTIVE = nn.AdaptiveLogSoftmax(7, (2, 4))
WRONG: dict[str, Any] = {"kind": "hing", "other": "lsgan", "list": [0]}
FRAMES, WORDS = jnp.zeros((2, 5, 4)), jnp.array([[1, 2], [3, 3]])

# Losses on arrays that fit: of two of one shape, of class numbers, and others.
PAIRS = {
    "mean_squared_error": (X, Y),
    "half_mean_squared_error": (X, Y),
    "mean_absolute_error": (X, Y),
    "mean_absolute_percentage_error": (X, Y),
    "mean_squared_log_error": (X, Y),
    "huber": (X, Y),
    "smooth_l1": (X, Y),
    "log_cosh": (X, Y),
    "cosine_distance": (X, Y),
    "poisson_nll": (X, Y),
    "gaussian_nll": (X, Y, Y),
    "binary_cross_entropy": (X, Y),
    "sigmoid_cross_entropy": (X, Y),
    "kl_divergence": (-X, Y / 3),
    "sigmoid_focal": (X, Y),
    "hinge": (X, SIGNS),
    "squared_hinge": (X, SIGNS),
    "soft_margin": (X, SIGNS),
    "hinge_embedding": (X, SIGNS),
    "multilabel_margin": (X, SIGNS),
    "multilabel_soft_margin": (X, SIGNS),
    "margin_ranking": (X, Y, SIGNS),
    "cosine_embedding": (X, Y, ROW),
    "triplet_margin": (X, Y, Y),
    "triplet_margin_with_distance": (X, Y, Y, nn.pairwise_distance),
    "dice": (X, Y),
    "tversky": (X, Y),
    "info_nce": (X, Y),
    "nt_xent": (X, Y),
    "siglip": (X, Y),
    "normal_kl": (X, Y),
    "distillation": (X, Y),
}
LABELLED = {
    "softmax_cross_entropy": (X, IDS),
    "negative_log_likelihood": (-X, IDS),
    "categorical_cross_entropy": (X, IDS),
    "generalized_cross_entropy": (X, IDS),
    "softmax_focal": (X, IDS),
    "categorical_hinge": (X, IDS),
    "multi_margin": (X, IDS),
}
OTHERS = {
    "reduce": (X,),
    "ctc": (FRAMES, WORDS),
    "circle": (X, IDS),
    "gan_generator": (X,),
    "gradient_penalty": (lambda x: x.sum(-1), X, Y, KEY),
    "chunked_cross_entropy": (X, Y[:3], IDS),
}
OF_PAIRS = [
    (lambda f, a, _, *more: f(a, X[:, :1], *more), "float32[4,1]", "float32[4,3]", "broadcast"),
    (lambda f, a, *more: f(a.astype(int), *more), "int32[4,3]", "x.astype(jnp.float32)"),
    (lambda f, a, _, *more: f(a, [1.0], *more), "must be an array", "a list", "jnp.asarray"),
]
OF_LABELLED = [
    (lambda f, a, _: f(a, IDS[:, None]), "class numbers of shape (4,)", "squeeze(-1)"),
    (lambda f, a, _: f(a, IDS + 1), "lie between 1 and 3", "0 to 2", "subtract 1"),
    (lambda f, a, _: f(a, IDS * 1.0), "must be integers", "astype(jnp.int32)"),
    (lambda f, a, _: f(a.astype(int), IDS), "must be floating point", "x.astype(jnp.float32)"),
]
OF_ALL = [
    (lambda f, *args: f(*args, weights=jnp.ones(7)), "weights of", "[7]", "jnp.broadcast_to"),
    (lambda f, *args: f(*args, mask=jnp.ones(2)), "mask of", "bool", "mask > 0"),
    (lambda f, *args: f(*args, reduction="avg"), "reduction='avg'", "there are: 'mean', 'sum'"),
]


def mistakes(family, examples):
    """Each mistake of a family with each of the losses."""
    return [
        (f"losses.{name}", functools.partial(mistake, getattr(losses, name), *args), *words)
        for name, args in examples.items()
        for mistake, *words in family
    ]


MISTAKES = [
    *mistakes(OF_PAIRS, PAIRS),
    *mistakes(OF_LABELLED, LABELLED),
    *mistakes(OF_ALL, PAIRS | LABELLED | OTHERS),
    ("losses.reduce", lambda: losses.reduce(SIGNS), "each of reduce", "x.astype(jnp.float32)"),
    (
        "losses.mean_absolute_percentage_error",
        lambda: losses.mean_absolute_percentage_error(X, Y, eps=-1),
        "eps of mean_absolute_percentage_error", "at least 0", "is -1",
    ),
    (
        "losses.mean_squared_log_error",
        lambda: losses.mean_squared_log_error(X, Y, eps=-1),
        "eps of mean_squared_log_error", "is -1",
    ),
    ("losses.huber", lambda: losses.huber(X, Y, delta=0), "delta of huber", "is 0"),
    ("losses.smooth_l1", lambda: losses.smooth_l1(X, Y, beta=-1), "beta of smooth_l1", "is -1"),
    ("losses.poisson_nll", lambda: losses.poisson_nll(X, -Y), "at least 0", "is -1.0"),
    ("losses.poisson_nll", lambda: losses.poisson_nll(X, Y, eps=-1), "eps of poisson_nll"),
    ("losses.gaussian_nll", lambda: losses.gaussian_nll(X, Y, Y[0]), "variance of", "float32[3]"),
    ("losses.gaussian_nll", lambda: losses.gaussian_nll(X, Y, -Y), "variance of", "softplus"),
    ("losses.gaussian_nll", lambda: losses.gaussian_nll(X, Y, Y, eps=0), "eps of gaussian_nll"),
    (
        "losses.binary_cross_entropy",
        lambda: losses.binary_cross_entropy(X + 1, Y),
        "between 1.5 and 1.5", "sigmoid_cross_entropy",
    ),
    (
        "losses.binary_cross_entropy",
        lambda: losses.binary_cross_entropy(X, Y, smoothing=2),
        "smoothing of binary_cross_entropy", "from 0 to 1",
    ),
    (
        "losses.sigmoid_cross_entropy",
        lambda: losses.sigmoid_cross_entropy(X, -Y),
        "between -1.0 and -1.0", "(y + 1) / 2",
    ),
    (
        "losses.sigmoid_cross_entropy",
        lambda: losses.sigmoid_cross_entropy(X, Y, positive_weight=(1.0, 2.0)),
        "positive_weight of", "float32[2]",
    ),
    (
        "losses.softmax_cross_entropy",
        lambda: losses.softmax_cross_entropy(X, IDS, class_weights=(1.0, 2.0)),
        "class_weights of", "3 classes", "weights",
    ),
    (
        "losses.softmax_cross_entropy",
        lambda: losses.softmax_cross_entropy(X, Y / 3, ignore=0),
        "ignore=0", "integers",
    ),
    (
        "losses.softmax_cross_entropy",
        lambda: losses.softmax_cross_entropy(X, IDS, smoothing=1),
        "smoothing is a share", "is 1",
    ),
    (
        "losses.softmax_cross_entropy",
        lambda: losses.softmax_cross_entropy(X, Y, mask=jnp.ones(4, bool)),
        "sums to 3", "sigmoid_cross_entropy",
    ),
    (
        "losses.negative_log_likelihood",
        lambda: losses.negative_log_likelihood(X, IDS),
        "log-probabilities", "0.5", "jax.nn.log_softmax",
    ),
    ("losses.kl_divergence", lambda: losses.kl_divergence(X, Y / 3), "jax.nn.log_softmax"),
    ("losses.kl_divergence", lambda: losses.kl_divergence(-X, -Y), "log_target=True"),
    (
        "losses.categorical_cross_entropy",
        lambda: losses.categorical_cross_entropy(X * 4, IDS),
        "between 2.0 and 2.0", "softmax_cross_entropy",
    ),
    (
        "losses.generalized_cross_entropy",
        lambda: losses.generalized_cross_entropy(X, IDS, q=2),
        "q of generalized_cross_entropy", "at most 1",
    ),
    (
        "losses.generalized_cross_entropy",
        lambda: losses.generalized_cross_entropy(X * 4, IDS),
        "between 2.0 and 2.0", "jax.nn.softmax",
    ),
    ("losses.sigmoid_focal", lambda: losses.sigmoid_focal(X, Y, gamma=-1), "gamma of", "is -1"),
    ("losses.sigmoid_focal", lambda: losses.sigmoid_focal(X, Y, alpha=2), "alpha of", "is 2"),
    ("losses.softmax_focal", lambda: losses.softmax_focal(X, IDS, gamma=-1), "gamma of", "is -1"),
    ("losses.softmax_focal", lambda: losses.softmax_focal(X, IDS, alpha=(1.0,)), "alpha of"),
    *(
        (f"losses.{name}", lambda name=name: getattr(losses, name)(X, 0 * SIGNS), "2 * y - 1")
        for name in ("hinge", "squared_hinge", "soft_margin", "hinge_embedding")
    ),
    ("losses.multi_margin", lambda: losses.multi_margin(X, IDS, p=3), "p of multi_margin", "is 3"),
    (
        "losses.multi_margin",
        lambda: losses.multi_margin(X, IDS, class_weights=(1.0,)),
        "class_weights of multi_margin", "3 classes",
    ),
    ("losses.multilabel_margin", lambda: losses.multilabel_margin(X, -Y), "(y + 1) / 2"),
    (
        "losses.multilabel_soft_margin",
        lambda: losses.multilabel_soft_margin(X, Y, class_weights=(1.0,)),
        "class_weights of multilabel_soft_margin", "3 classes",
    ),
    (
        "losses.margin_ranking",
        lambda: losses.margin_ranking(X, Y, 0 * SIGNS),
        "-1 or 1", "0.0 is among them", "2 * y - 1",
    ),
    (
        "losses.cosine_embedding",
        lambda: losses.cosine_embedding(X, Y, SIGNS),
        "the target of cosine_embedding", "(4,)", "int32[4,3]",
    ),
    ("losses.cosine_embedding", lambda: losses.cosine_embedding(X, Y, 0 * ROW), "-1 or 1"),
    (
        "losses.triplet_margin",
        lambda: losses.triplet_margin(X, Y, Y, margin=0),
        "margin of triplet_margin", "above 0",
    ),
    (
        "losses.triplet_margin",
        lambda: losses.triplet_margin(X, Y, Y, p=-1),
        "p of pairwise_distance", "is -1",
    ),
    (
        "losses.triplet_margin",
        lambda: losses.triplet_margin(X, Y, SIGNS),
        "negatives of triplet_margin", "x.astype(jnp.float32)",
    ),
    (
        "losses.triplet_margin_with_distance",
        lambda: losses.triplet_margin_with_distance(X, Y, Y, jnp.subtract),
        "distance of", "the last axis", "returned float32[4,3]",
    ),
    ("losses.ctc", lambda: losses.ctc(FRAMES[0, 0], WORDS), "at least 2 axes", "float32[4]"),
    ("losses.ctc", lambda: losses.ctc(FRAMES, WORDS[0]), "[..., L]", "int32[2]"),
    ("losses.ctc", lambda: losses.ctc(FRAMES, WORDS * 1.0), "labels of ctc", "astype(jnp.int32)"),
    ("losses.ctc", lambda: losses.ctc(FRAMES, WORDS, blank=4), "blank of ctc", "0 to 3"),
    ("losses.ctc", lambda: losses.ctc(FRAMES, WORDS - 1), "blank=0", "label_lengths", "0 and 2"),
    (
        "losses.ctc",
        lambda: losses.ctc(FRAMES, WORDS, jnp.array([5, 6])),
        "input_lengths of ctc", "5 and 6", "there are 5",
    ),
    (
        "losses.ctc",
        lambda: losses.ctc(FRAMES, WORDS, label_lengths=jnp.array([1])),
        "label_lengths of ctc", "(2,)", "int32[1]",
    ),
    ("losses.dice", lambda: losses.dice(X, Y, axis=2), "axis of dice", "from -2 to 1", "is 2"),
    ("losses.dice", lambda: losses.dice(X * 4, Y), "between 2.0", "jax.nn.sigmoid"),
    ("losses.dice", lambda: losses.dice(X, Y, eps=0), "eps of dice", "above 0"),
    ("losses.tversky", lambda: losses.tversky(X, Y, eps=0), "eps of tversky", "above 0"),
    (
        "losses.tversky",
        lambda: losses.tversky(X, Y, false_positives=-1),
        "false_positives of tversky", "at least 0",
    ),
    (
        "losses.tversky",
        lambda: losses.tversky(X, Y, false_negatives=-1),
        "false_negatives of tversky", "at least 0",
    ),
    ("losses.info_nce", lambda: losses.info_nce(X, Y, temperature=0), "temperature of info_nce"),
    ("losses.info_nce", lambda: losses.info_nce(X[0], Y[0]), "at least 2 axes", "float32[3]"),
    ("losses.nt_xent", lambda: losses.nt_xent(X, Y, temperature=-1.0), "temperature of nt_xent"),
    ("losses.siglip", lambda: losses.siglip(X, Y, jnp.ones(3)), "scale of siglip", "float32[3]"),
    ("losses.siglip", lambda: losses.siglip(X, Y, 1.0, jnp.ones(3)), "bias of siglip"),
    ("losses.circle", lambda: losses.circle(X, IDS, gamma=0), "gamma of circle", "above 0"),
    ("losses.circle", lambda: losses.circle(X, IDS[:2]), "labels of circle", "(4,)", "int32[2]"),
    ("losses.circle", lambda: losses.circle(X, IDS * 1.0), "labels of circle", "jnp.int32"),
    ("losses.gan_generator", lambda: losses.gan_generator(SIGNS), "scores of gan_generator"),
    ("losses.gan_generator", lambda: losses.gan_generator(X, kind=WRONG["kind"]), "'hinge'"),
    (
        "losses.gan_discriminator",
        lambda: losses.gan_discriminator(X, SIGNS),
        "scores of gan_discriminator", "x.astype(jnp.float32)",
    ),
    (
        "losses.gan_discriminator",
        lambda: losses.gan_discriminator(X, X, kind=WRONG["other"]),
        "kind='lsgan'", "'least_squares'",
    ),
    (
        "losses.gan_discriminator",
        lambda: losses.gan_discriminator(X, X[:2], reduction="none"),
        "gan_discriminator", "never broadcasts", "float32[2,3]",
    ),
    (
        "losses.gradient_penalty",
        lambda: losses.gradient_penalty(lambda x: x, X, Y, KEY),
        "critic of gradient_penalty", "(4,)", "squeeze(-1)",
    ),
    (
        "losses.gradient_penalty",
        lambda: losses.gradient_penalty(lambda x: x, X, Y, jnp.zeros(2)),
        "jax.random.key(0)",
    ),
    ("losses.distillation", lambda: losses.distillation(X, Y, temperature=0), "temperature of"),
    (
        "losses.chunked_cross_entropy",
        lambda: losses.chunked_cross_entropy(X, Y[:2], IDS),
        "kernel of chunked_cross_entropy", "float32[2,3]", "transposed",
    ),
    (
        "losses.chunked_cross_entropy",
        lambda: losses.chunked_cross_entropy(X, Y[:3], IDS + 1),
        "between 1 and 3", "subtract 1",
    ),
    (
        "losses.chunked_cross_entropy",
        lambda: losses.chunked_cross_entropy(X, Y[:3], Y / 3),
        "labels of chunked_cross_entropy", "(4,)", "softmax_cross_entropy",
    ),
    (
        "losses.chunked_cross_entropy",
        lambda: losses.chunked_cross_entropy(X, Y[:3], IDS, X[0, :2]),
        "bias of chunked_cross_entropy", "(3,)", "float32[2]",
    ),
    (
        "losses.chunked_cross_entropy",
        lambda: losses.chunked_cross_entropy(X, Y[:3], IDS, chunk=0),
        "chunk of chunked_cross_entropy", "at least 1",
    ),
    ("losses.one_hot", lambda: losses.one_hot(IDS, 2), "between 0 and 2", "0 to 1"),
    ("losses.one_hot", lambda: losses.one_hot(Y, 2), "must be integers", "astype(jnp.int32)"),
    ("losses.one_hot", lambda: losses.one_hot(WRONG["list"], 2), "a list", "jnp.asarray"),
    ("losses.one_hot", lambda: losses.one_hot(IDS, 0), "classes of one_hot", "at least 1"),
    *(
        (f"losses.{f.__name__}", functools.partial(f, {"kernel": X}), "needs the paths", "'**'")
        for f in (losses.l1, losses.l2)
    ),
    *(
        (f"losses.{f.__name__}", functools.partial(f, {"kernel": X}, "kern"), "did you mean")
        for f in (losses.l1, losses.l2)
    ),
    ("nn.AdaptiveLogSoftmax", lambda: nn.AdaptiveLogSoftmax(7, (4, 2)), "cutoffs", "(4, 2)"),
    ("nn.AdaptiveLogSoftmax", lambda: nn.AdaptiveLogSoftmax(7, (7,)), "cutoffs", "at most 6"),
    ("nn.AdaptiveLogSoftmax", lambda: nn.AdaptiveLogSoftmax(7, ()), "cutoffs", "a tuple"),
    ("nn.AdaptiveLogSoftmax", lambda: nn.AdaptiveLogSoftmax(1, (1,)), "classes", "at least 2"),
    (
        "nn.AdaptiveLogSoftmax",
        lambda: nn.AdaptiveLogSoftmax(7, (2,), div_value=0),
        "div_value of AdaptiveLogSoftmax", "above 0",
    ),
    ("nn.AdaptiveLogSoftmax", lambda: ADAPTIVE.init(KEY, X, IDS), "3 features", "fewer cutoffs"),
    (
        "nn.AdaptiveLogSoftmax",
        lambda: ADAPTIVE.init(KEY, jnp.ones((4, 16)), IDS[:2]),
        "labels of AdaptiveLogSoftmax", "(4,)", "int32[2]",
    ),
    (
        "nn.AdaptiveLogSoftmax",
        lambda: ADAPTIVE.init(KEY, jnp.ones((4, 16)), IDS * 1.0),
        "labels of AdaptiveLogSoftmax", "jnp.int32",
    ),
    (
        "nn.AdaptiveLogSoftmax",
        lambda: ADAPTIVE.init(KEY, jnp.ones((4, 16), int), IDS),
        "the input of AdaptiveLogSoftmax", "x.astype(jnp.float32)",
    ),
]  # fmt: skip
