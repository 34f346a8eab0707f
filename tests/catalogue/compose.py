"""Combinators."""

from jax import checkpoint_policies as policies

from catalogue.inputs import VECTOR
from jaxnet import nn

LAYERS = [
    ("sequential", nn.Sequential(nn.Linear(3), nn.relu, nn.Dropout(0.3)), VECTOR),
    ("sequential-empty", nn.Sequential(), VECTOR),
    ("residual", nn.Residual(nn.Linear(4)), VECTOR),
    ("residual-function", nn.Residual(nn.softmax), VECTOR),
    ("mlp", nn.MLP((6, 5)), VECTOR),
    ("mlp-options", nn.MLP(5, 3, activation=nn.silu, dropout=0.2), VECTOR),
    ("repeat-unroll", nn.Repeat(nn.Linear(4), 3, unroll=2), VECTOR),
    ("repeat-loop", nn.Repeat(nn.Linear(4), 2, scan=False), VECTOR),
    ("repeat-random", nn.Repeat(nn.Dropout(0.5), 2), VECTOR),
    ("repeat-policy", nn.Repeat(nn.Linear(4), 2, remat=policies.dots_saveable), VECTOR),
    ("repeat-statistics", nn.Repeat(nn.BatchNorm(scale=False), 2, remat=True), VECTOR),
]
MISTAKES = []
