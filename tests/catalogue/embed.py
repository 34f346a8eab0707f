"""Embeddings and bags of them."""

import jax
import jax.numpy as jnp

from catalogue.inputs import IDS
from jaxnet import nn

LAYERS = [
    ("embed", nn.Embed(7, 3), IDS),
    ("embed-keras", nn.Embed(7, 3, initializer="keras"), IDS),
    ("embedding-bag", nn.EmbeddingBag(7, 3), IDS),
    ("embedding-bag-max", nn.EmbeddingBag(7, 3, mode="max"), IDS),
]

TABLE = jnp.ones((7, 3))
params = {"kernel": TABLE}
MASK = jnp.ones((2, 3), bool)


def bag(**options):
    return lambda: nn.embedding_bag(IDS, TABLE, **options)


MISTAKES = [
    ("nn.embed", lambda: nn.embed(IDS / 1, TABLE), "integer ids", "ids.astype(jnp.int32)"),
    ("nn.embed", lambda: nn.embed(IDS + 5, TABLE), "between 5 and 11", "ids go from 0 to 6"),
    ("nn.embed", lambda: nn.embed(IDS - 1, TABLE), "between -1 and 5", "the table has 7 rows"),
    ("nn.embed", lambda: nn.embed(IDS, TABLE[0]), "must be [vocabulary, features]", "float32[3]"),
    ("nn.embed", lambda: nn.embed(IDS, TABLE, padding=7), "padding of embed", "7 rows, but is 7"),
    ("nn.embed", lambda: nn.embed(IDS, TABLE, max_norm=0.0), "max_norm of embed", "above 0"),
    ("nn.embed", lambda: nn.embed(IDS, TABLE, max_norm=1.0, norm=-1), "norm of embed", "above 0"),
    ("nn.Embed", lambda: nn.Embed(0, 3), "vocabulary of Embed", "but is 0"),
    ("nn.Embed", lambda: nn.Embed(7, -3), "features of Embed", "but is -3"),
    ("nn.Embed", lambda: nn.Embed(7, 3, padding=-8), "padding of Embed", "7 rows, but is -8"),
    ("nn.Embed", lambda: nn.Embed(7, 3, max_norm=-1.0), "max_norm of Embed", "but is -1.0"),
    (
        "nn.Embed.attend",
        lambda: nn.Embed(7, 3).attend(params, jnp.ones((2, 4))),
        "the input of Embed.attend must have 3 features",
        "float32[2,4]",
    ),
    (
        "nn.Embed.attend",
        lambda: nn.Embed(7, 3).attend(params, IDS),
        "the input of Embed.attend must be floating point",
    ),
    ("nn.embedding_bag", bag(mode="average"), "embedding_bag has no mode='average'", "mean"),
    ("nn.embedding_bag", bag(weights=MASK / 1), "weights of embedding_bag", "use mode='sum'"),
    ("nn.embedding_bag", bag(mode="sum", weights=MASK[0] / 1), "ids' shape (2, 3)", "float32[3]"),
    ("nn.embedding_bag", bag(mask=MASK / 1), "mask of embedding_bag", "mask.astype(bool)"),
    ("nn.embedding_bag", bag(padding=9), "padding of embedding_bag", "but is 9"),
    (
        "nn.embedding_bag",
        lambda: nn.embedding_bag(jnp.array(1), TABLE),
        "ids of embedding_bag needs at least 1 axes",
    ),
    ("nn.EmbeddingBag", lambda: nn.EmbeddingBag(7, 3, mode="avg"), "EmbeddingBag has no mode"),
    ("nn.EmbeddingBag", lambda: nn.EmbeddingBag(7, 0), "features of EmbeddingBag", "but is 0"),
    (
        "nn.EmbeddingBag",
        lambda: nn.EmbeddingBag(7, 3).init(jax.random.key(0), IDS / 1),
        "embedding_bag looks up integer ids",
    ),
    ("nn.split_bags", lambda: nn.split_bags(IDS, IDS[0], 2), "x of split_bags", "int32[2,3]"),
    ("nn.split_bags", lambda: nn.split_bags(IDS[0], IDS[0] / 1, 2), "offsets of split_bags"),
    ("nn.split_bags", lambda: nn.split_bags(IDS[0], IDS[0], 0), "longest of split_bags"),
]
