"""Mixtures of experts: a router sends each token to a few of many layers."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnet.core import stats
from jaxnet.core.blueprint import child, param, split, stacked
from jaxnet.core.checks import check_axes, check_float, check_positive, check_size
from jaxnet.core.dtypes import at_least_float32
from jaxnet.core.errors import describe
from jaxnet.core.layer import Layer
from jaxnet.nn.compose import MLP
from jaxnet.nn.initializers import zeros
from jaxnet.nn.linear import Linear
from jaxnet.nn.moments import shown
from jaxnet.nn.routing import (
    Routing,
    check_mask,
    check_routing,
    load,
    load_balancing_loss,
    route,
    router_z_loss,
)


def grouped_linear(x: jax.Array, kernel: jax.Array, sizes: jax.Array) -> jax.Array:
    """``linear`` with a kernel for each group of rows: ``[N, I], [G, I, O], [G] -> [N, O]``.

    The first ``sizes[0]`` rows meet ``kernel[0]``, the next ``sizes[1]`` rows ``kernel[1]``, and
    so on; rows that are left give zeros. Raises ValueError if the shapes do not fit each other.

    >>> kernel = jnp.array([1.0, 10.0]).reshape(2, 1, 1)
    >>> grouped_linear(jnp.ones((4, 1)), kernel, jnp.array([1, 2]))[:, 0]
    Array([ 1., 10., 10.,  0.], dtype=float32)
    """
    check_float(x, "x of grouped_linear")
    fits = x.ndim == 2 and kernel.ndim == 3 and kernel.shape[1] == x.shape[1]
    if not fits or sizes.shape != kernel.shape[:1] or not jnp.issubdtype(sizes.dtype, jnp.integer):
        raise ValueError(
            "grouped_linear takes x [N, I], a kernel [G, I, O] and integer sizes [G], but x is "
            f"{describe(x)}, kernel {describe(kernel)} and sizes {describe(sizes)}; bring x to "
            "rows with reshape, and count the rows of each group"
        )
    return jax.lax.ragged_dot(x, kernel, sizes.astype(jnp.int32))


class MoE(Layer):
    """Each token is the sum of a few experts' results, by the router's gates: ``[..., T, D]``.

    ``expert`` is a layer ``[..., D] -> [..., O]``, or the hidden width of an ``MLP`` in its place;
    ``experts`` is their number, ``k`` how many a token chooses. ``gates`` and ``normalize`` as in
    ``route``. ``shared`` is a layer that all tokens go through, whose result is added
    (arXiv:2401.06066).

    Each expert has room for ``capacity_factor * k * T / experts`` tokens, rounded up, of one
    example's T tokens; a token that finds no room gets zeros from that expert, so a residual path
    belongs around the layer. None is room for all. Dispatching takes memory for ``T * experts *
    capacity`` numbers: with ``group`` long examples are cut into groups of that many tokens, each
    with room of its own.

    ``balance`` is the rate, such as 0.001, at which a bias for each expert learns: it adds to the
    scores that experts are chosen by, but not to the gates, and a training step moves it up for
    experts with less than the mean load, and down for the others (arXiv:2408.15664). Losses that
    balance are given by ``with_losses``.

    Where ``mask [..., T]`` is False a token takes no room, is not read, and gets zeros.
    Leaves ``router/kernel [D, experts]``, those of ``experts`` with a leading axis of their number,
    ``shared`` and ``stats/bias [experts]``. The router computes in at least float32.
    Raises ValueError if the options do not fit each other, or the input.

    >>> layer = MoE(32, 8, k=2)
    >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 16)))
    >>> params["experts"]["0"]["kernel"].shape, layer(params, jnp.ones((3, 5, 16))).shape
    ((8, 16, 32), (3, 5, 16))
    """

    expert: int | Layer
    experts: int
    _: KW_ONLY
    k: int = 2
    capacity_factor: float | None = 1.25
    group: int | None = None
    gates: str = "softmax"
    normalize: bool | None = None
    shared: Layer | None = None
    balance: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.expert, Layer):
            check_size(self.expert, "expert of MoE, the hidden width of an MLP,")
        check_size(self.experts, "experts of MoE")
        check_routing(self.k, self.experts, self.gates, "MoE")
        for name in ("capacity_factor", "balance"):
            if getattr(self, name) is not None:
                check_positive(getattr(self, name), f"{name} of MoE")
        if self.group is not None:
            check_size(self.group, "group of MoE")

    def __call__(
        self,
        params: Any,
        x: jax.Array,
        *,
        mask: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        return self._run(params, x, mask, key)[0]

    def with_losses(
        self,
        params: Any,
        x: jax.Array,
        *,
        mask: jax.Array | None = None,
        key: jax.Array | None = None,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The call's result, and what to add to the loss, each with a weight such as 0.01.

        The losses are ``load_balancing`` and ``router_z``, see the functions of those names.

        >>> layer = MoE(32, 8, k=2)
        >>> params = layer.init(jax.random.key(0), jnp.zeros((1, 5, 16)))
        >>> y, losses = layer.with_losses(params, jnp.ones((3, 5, 16)))
        >>> sorted(losses)
        ['load_balancing', 'router_z']
        """
        y, logits, routing = self._run(params, x, mask, key)
        there = routing.chosen[..., 0] < self.experts
        return y, {
            "load_balancing": load_balancing_loss(routing.probs, routing.chosen),
            "router_z": router_z_loss(logits, mask=there),
        }

    def _run(
        self, params: Any, x: jax.Array, mask: jax.Array | None, key: jax.Array | None
    ) -> tuple[jax.Array, jax.Array, Routing]:
        """The result, the router's logits, and what came of them."""
        check_float(x, "the input of MoE")
        check_axes(x, 2, "the input of MoE, [..., T, D],")
        if mask is not None:
            check_mask(mask, x, "MoE")
        if x.shape[-2] % (self.group or 1):
            raise ValueError(
                f"the input of MoE is {describe(x)}, whose {x.shape[-2]} tokens cannot be cut into "
                f"groups of group={self.group}; give a size that divides their number"
            )
        tokens = x = shown(x, mask)
        there = mask
        if self.group is not None:
            tokens = x.reshape(*x.shape[:-2], -1, self.group, x.shape[-1])
            there = None if mask is None else mask.reshape(tokens.shape[:-1])
        wide = at_least_float32(x)
        router = jax.tree.map(lambda leaf: leaf.astype(wide), params["router"])
        logits = Linear(self.experts, bias=False)(router, tokens.astype(wide))
        bias = None
        if self.balance is not None:
            bias = param(params["stats"], "bias", (self.experts,), zeros)
        options: Any = {"gates": self.gates, "normalize": self.normalize}
        capacity = self._capacity(tokens.shape[-2])
        routing = route(logits, self.k, capacity, bias=bias, mask=there, **options)
        first, last = split(key, 2)
        found = self._experts(params, tokens, routing, first)
        y: Any = found.reshape(*x.shape[:-1], found.shape[-1])
        if self.shared is not None:
            y = shown(y + self.shared(child(params, "shared"), x, key=last), mask)
        if bias is not None and key is not None and self.balance is not None:
            counts = load(routing.chosen, self.experts).astype(bias.dtype)
            y = stats.learn(y, bias, bias + jnp.sign(counts.mean() - counts), self.balance)
        return y, logits, routing

    def _capacity(self, tokens: int) -> int:
        if self.capacity_factor is None:
            return tokens
        return min(tokens, math.ceil(self.capacity_factor * self.k * tokens / self.experts))

    def _experts(
        self, params: Any, x: jax.Array, routing: Routing, key: jax.Array | None
    ) -> jax.Array:
        """Each expert on the tokens in its places, weighed."""
        expert = MLP(self.expert) if isinstance(self.expert, int) else self.expert
        keys = None if key is None else split(key, self.experts)
        placed = jnp.einsum("...tec,...td->e...cd", routing.dispatch.astype(x.dtype), x)
        leaves = stacked(child(params, "experts"), self.experts)
        each = jax.vmap(lambda p, x, key: expert(p, x, key=key), axis_size=self.experts)
        found = each(leaves, placed, keys)
        return jnp.einsum("...tec,e...cd->...td", routing.combine.astype(found.dtype), found)
