"""Mixtures of experts."""

import jax
import jax.numpy as jnp

from catalogue.inputs import SEQUENCE, VECTOR
from jaxnet import nn

LAYERS = [
    ("moe", nn.MoE(3, 3), SEQUENCE),
    (
        "moe-options",
        nn.MoE(
            nn.Sequential(nn.Linear(5), nn.Dropout(0.3)), 3, k=1, capacity_factor=None, group=1,
            gates="sigmoid", normalize=False, shared=nn.Linear(5), balance=0.01,
        ),
        SEQUENCE,
    ),
]  # fmt: skip


KERNEL, SIZES, CHOSEN = jnp.ones((2, 4, 3)), jnp.array([1, 1]), jnp.array([[0], [1]])


def call(x=SEQUENCE, experts=3, expert=3, **options):
    return lambda: nn.MoE(expert, experts, **options).init(jax.random.key(0), x)


def masked(mask):
    return lambda: nn.MoE(3, 3).init(jax.random.key(0), SEQUENCE, mask=mask)


def route(logits=SEQUENCE, k=2, capacity=3, **options):
    return lambda: nn.route(logits, k, capacity, **options)


def group(x=VECTOR, kernel=KERNEL, sizes=SIZES):
    return lambda: nn.grouped_linear(x, kernel, sizes)


def balance(probs=VECTOR, chosen=CHOSEN):
    return lambda: nn.load_balancing_loss(probs, chosen)


MISTAKES = [
    ("nn.MoE", call(expert=0), "expert of MoE", "hidden width", "at least 1"),
    ("nn.MoE", call(experts=0), "experts of MoE", "at least 1"),
    ("nn.MoE", call(k=4), "k=4 of MoE", "only 3", "at most"),
    ("nn.MoE", call(k=0), "k of MoE", "at least 1"),
    ("nn.MoE", call(capacity_factor=0.0), "capacity_factor of MoE", "above 0"),
    ("nn.MoE", call(balance=-1.0), "balance of MoE", "above 0"),
    ("nn.MoE", call(gates="tanh"), "gates='tanh'", "softmax"),
    ("nn.MoE", call(group=0), "group of MoE", "at least 1"),
    ("nn.MoE", call(group=3), "group=3", "7 tokens", "divides"),
    ("nn.MoE", call(VECTOR[0]), "input of MoE", "at least 2 axes"),
    ("nn.MoE", call(VECTOR.astype(int)), "input of MoE", "floating point"),
    ("nn.MoE", masked(jnp.ones((2, 7))), "mask of MoE", "astype(bool)"),
    ("nn.MoE", masked(jnp.ones(7, bool)), "mask of MoE", "[2, 7]"),
    ("nn.Routing", route(k=5), "k=5 of route", "only 4"),
    ("nn.route", route(k=0), "k of route", "at least 1"),
    ("nn.route", route(k=5), "k=5 of route", "only 4", "at most"),
    ("nn.route", route(capacity=0), "capacity of route", "at least 1"),
    ("nn.route", route(gates="relu"), "gates='relu'", "sigmoid"),
    ("nn.route", route(VECTOR[0]), "logits of route", "at least 2 axes"),
    ("nn.route", route(SEQUENCE.astype(int)), "logits of route", "floating point"),
    ("nn.route", route(bias=jnp.ones(3)), "bias of route", "(4,)", "float32[3]"),
    ("nn.route", route(mask=jnp.ones(7, bool)), "mask of route", "[2, 7]"),
    ("nn.load_balancing_loss", balance(chosen=jnp.array([0, 1])), "int32[2]", "chosen[..., None]"),
    ("nn.load_balancing_loss", balance(chosen=VECTOR), "chosen of", "integers"),
    ("nn.load_balancing_loss", balance(probs=VECTOR.astype(int)), "probs of", "floating point"),
    ("nn.load_balancing_loss", balance(jnp.ones((0, 4)), jnp.ones((0, 1), int)), "empty batches"),
    ("nn.router_z_loss", lambda: nn.router_z_loss(jnp.ones(())), "logits of", "at least 1"),
    ("nn.router_z_loss", lambda: nn.router_z_loss(jnp.ones(3, int)), "logits of", "floating"),
    (
        "nn.router_z_loss",
        lambda: nn.router_z_loss(VECTOR, mask=jnp.ones(2)),
        "mask of router_z_loss",
        "astype(bool)",
    ),
    ("nn.grouped_linear", group(SEQUENCE), "x [N, I]", "float32[2,7,4]", "reshape"),
    ("nn.grouped_linear", group(kernel=jnp.ones((2, 3, 3))), "float32[2,3,3]"),
    ("nn.grouped_linear", group(sizes=jnp.ones(2)), "integer sizes", "float32[2]"),
    ("nn.grouped_linear", group(sizes=jnp.array([1])), "sizes int32[1]", "count the rows"),
    ("nn.grouped_linear", group(VECTOR.astype(int)), "x of grouped_linear", "floating point"),
]
