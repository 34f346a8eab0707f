"""Distances."""

import jax.numpy as jnp

from catalogue.inputs import SEQUENCE, VECTOR
from jaxnet import nn

PAIR = (nn.cosine_similarity, nn.pairwise_distance, nn.cdist)


def different(f):
    return lambda: f(VECTOR, VECTOR[:, :3])


def whole(f):
    return lambda: f(VECTOR, jnp.ones((2, 4), int))


MISTAKES = [
    *((f"nn.{f.__name__}", different(f), f"x and y of {f.__name__}", "one size") for f in PAIR),
    *((f"nn.{f.__name__}", whole(f), f"y of {f.__name__} must be floating point") for f in PAIR),
    (
        "nn.cosine_similarity",
        lambda: nn.cosine_similarity(VECTOR, VECTOR, axis=2),
        "axis of cosine_similarity must be an int from -2 to 1",
    ),
    (
        "nn.pairwise_distance",
        lambda: nn.pairwise_distance(VECTOR, VECTOR[0]),
        "as many axes",
        "float32[2,4] and float32[4]",
    ),
    (
        "nn.pairwise_distance",
        lambda: nn.pairwise_distance(VECTOR, VECTOR, p=-1),
        "p of pairwise_distance must be at least 0, but is -1",
    ),
    ("nn.cdist", lambda: nn.cdist(SEQUENCE, VECTOR), "x and y of cdist", "as many axes"),
    ("nn.cdist", lambda: nn.cdist(VECTOR, VECTOR[0]), "y of cdist needs at least 2 axes"),
    ("nn.cdist", lambda: nn.cdist(VECTOR, VECTOR, p=-2.0), "p of cdist", "-2.0"),
    ("nn.pdist", lambda: nn.pdist(VECTOR[0]), "the input of pdist needs at least 2 axes"),
    ("nn.pdist", lambda: nn.pdist(VECTOR, p=-2.0), "p of pdist", "-2.0"),
    ("nn.vector_norm", lambda: nn.vector_norm(VECTOR, -1), "p of vector_norm", "-1"),
    ("nn.vector_norm", lambda: nn.vector_norm(VECTOR.astype(int)), "vector_norm must be floating"),
]
