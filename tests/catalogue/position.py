"""Positions."""

import jax.numpy as jnp

from catalogue.inputs import SEQUENCE, normal
from jaxnet import nn

HEADS = normal(2, 3, 1, 4)
PLACES = jnp.array([[0, 3, 7, 9], [2, 4, 5, 30]])

LAYERS = [
    ("sinusoidal-position", nn.SinusoidalPosition(), SEQUENCE),
    ("learned-position", nn.LearnedPosition(9), SEQUENCE),
    ("rotary", nn.Rotary(fraction=0.5), HEADS),
    ("rotary-scaled", nn.Rotary(scaling=nn.DynamicScaling(2.0, 2), interleaved=True), HEADS),
    ("alibi", nn.ALiBi(3), normal(2, 4), normal(2, 5)),
    ("relative-position", nn.RelativePosition(3, buckets=6, distance=20), PLACES, PLACES),
]

LEARNED = nn.LearnedPosition(3)


def turn(x=HEADS, positions=None, **options):
    return lambda: nn.rotary(x, positions, **options)


MISTAKES = [
    ("nn.sinusoidal", lambda: nn.sinusoidal(0, 4), "positions of sinusoidal", "at least 1"),
    ("nn.sinusoidal", lambda: nn.sinusoidal(jnp.ones(()), 4), "array of one"),
    ("nn.sinusoidal", lambda: nn.sinusoidal(3, 0), "features of sinusoidal"),
    ("nn.sinusoidal", lambda: nn.sinusoidal(3, 4, base=0.0), "base of sinusoidal", "above 0"),
    ("nn.sinusoidal", lambda: nn.sinusoidal(3, 3, interleaved=False), "must be even"),
    ("nn.SinusoidalPosition", lambda: nn.SinusoidalPosition()({}, HEADS[0, 0, 0]), "2 axes"),
    (
        "nn.SinusoidalPosition",
        lambda: nn.SinusoidalPosition()({}, SEQUENCE, positions=PLACES),
        "positions of SinusoidalPosition",
        "[7]",
    ),
    ("nn.LearnedPosition", lambda: nn.LearnedPosition(0), "length of LearnedPosition"),
    (
        "nn.LearnedPosition",
        lambda: LEARNED({"kernel": jnp.ones((3, 4))}, SEQUENCE),
        "only 3 positions",
        "length larger",
    ),
    ("nn.rotary", turn(HEADS[0, 0]), "input of rotary", "at least 3 axes"),
    ("nn.rotary", turn(positions=PLACES), "positions of rotary", "[2, 3]"),
    ("nn.rotary", turn(HEADS[..., :3]), "fraction=1.0 of 3", "must be even"),
    ("nn.rotary", turn(fraction=1.5), "fraction of rotary", "at most 1"),
    ("nn.rotary", turn(base=-1.0), "base of rotary"),
    ("nn.rotary", turn(HEADS[..., :2], scaling=nn.DynamicScaling(2.0, 4)), "heads of at least 4"),
    ("nn.Rotary", lambda: nn.Rotary()({}, HEADS.astype(int)), "input of rotary"),
    ("nn.LinearScaling", lambda: nn.LinearScaling(0.0), "factor of LinearScaling"),
    ("nn.DynamicScaling", lambda: nn.DynamicScaling(2.0, 0), "length of DynamicScaling"),
    ("nn.Llama3Scaling", lambda: nn.Llama3Scaling(low=4.0), "low=4.0", "must be below"),
    ("nn.YaRN", lambda: nn.YaRN(4.0, 32, fast=0.5), "slow=1.0", "fast=0.5"),
    ("nn.alibi", lambda: nn.alibi(0, 3, 3), "heads of alibi"),
    ("nn.alibi", lambda: nn.alibi(2, 3, -1), "keys of alibi"),
    ("nn.ALiBi", lambda: nn.ALiBi(0), "heads of ALiBi"),
    ("nn.RelativePosition", lambda: nn.RelativePosition(0), "heads of RelativePosition"),
    ("nn.RelativePosition", lambda: nn.RelativePosition(2, buckets=7), "buckets=7", "even"),
    ("nn.RelativePosition", lambda: nn.RelativePosition(2, distance=8), "distance=8"),
    (
        "nn.RelativePosition",
        lambda: nn.RelativePosition(2)({}, normal(3), PLACES),
        "queries of RelativePosition",
        "integers",
    ),
]
