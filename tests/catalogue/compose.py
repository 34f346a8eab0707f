"""Combinators."""

import jax
from jax import checkpoint_policies as policies

from catalogue.inputs import VECTOR
from jaxnet import nn

LAYERS = [
    ("sequential", nn.Sequential(nn.Linear(3), nn.relu, nn.Dropout(0.3)), VECTOR),
    ("sequential-empty", nn.Sequential(), VECTOR),
    ("branches", nn.Branches(nn.Linear(3), nn.tanh, nn.Dropout(0.5)), VECTOR),
    ("branches-mean", nn.Branches(nn.Linear(4), nn.tanh, merge="mean"), VECTOR),
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
LINEAR = nn.Sequential(nn.Linear(3))
BRANCHES = nn.Branches(nn.Linear(3), nn.tanh, merge="sum")
MISTAKES = [
    ("nn.Sequential", lambda: nn.Sequential(nn.Linear), "one by one", "write Linear(…)"),
    ("nn.Sequential", lambda: LINEAR({"1": {}}, VECTOR), "0/kernel", "float32[4,3]"),
    ("nn.Residual", lambda: nn.Residual(lambda x: x[..., :2])({}, VECTOR), "keeps shape", "[2,2]"),
    ("nn.Repeat", lambda: nn.Repeat(nn.Linear(4), 2, remat="dot"), "remat='dot'", "'dots'"),
    ("nn.Repeat", lambda: nn.Repeat(nn.Linear(4), 0), "n of Repeat", "at least 1"),
    ("nn.MLP", lambda: nn.MLP(4, dropout=1.0), "dropout rate", "below 1"),
    ("nn.Branches", lambda: nn.Branches(nn.tanh, merge="add"), "merge='add'"),
    ("nn.Branches", nn.Branches, "at least one layer"),
    (
        "nn.Branches",
        lambda: BRANCHES.init(jax.random.key(0), VECTOR),
        "outputs of one shape",
        "float32[2,3], float32[2,4]",
        "equal features",
    ),
]
