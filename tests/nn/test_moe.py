"""Mixtures of experts: what holds for all routers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn
from jaxnet.core import stats

pytestmark = pytest.mark.usefixtures("strict")

X = (2, 6, 4)
ROUTE = jax.jit(nn.route, static_argnums=(1, 2))


@jax.jit
def grouped(x, kernel, sizes):
    """The result, and the gradients of the sum of its sines."""
    y, pull = jax.vjp(lambda x, kernel: nn.grouped_linear(x, kernel, sizes), x, kernel)
    return y, pull(jnp.cos(y))


def mixture(**options):
    options.setdefault("capacity_factor", None)
    return nn.MoE(3, 4, **options)


@settings(max_examples=8, deadline=None)
@given(st.sampled_from([(1, 3), (2, 2), (3, 7)]), st.integers(0, 99))
@pytest.mark.oracle("nn.route", "nn.Routing")
def test_places_are_taken_once_and_in_order(sizes, seed):
    k, capacity = sizes
    dispatch, combine, chosen, _ = map(np.asarray, ROUTE(draw((7, 3), seed), k, capacity))
    assert dispatch.sum(0).max() <= 1, "one token for each place"
    loads = np.bincount(chosen.ravel(), minlength=3)
    np.testing.assert_array_equal(dispatch.sum((0, 2)), np.minimum(loads, capacity))
    assert (np.diff(dispatch.any(0).astype(int), axis=-1) <= 0).all(), "no gaps"
    if capacity == 7:
        close(combine.sum((1, 2)), np.ones(7))
        assert (dispatch.sum((1, 2)) == k).all(), "no token is lost"


@pytest.mark.oracle("nn.MoE", gradients=True)
def test_with_room_it_is_the_dense_mixture():
    x, shared = draw(X), nn.Linear(4)
    layer = mixture(k=2, shared=shared)
    params = layer.init(jax.random.key(0), x)

    def dense(params, x):
        probs = jax.nn.softmax(x @ params["router"]["kernel"])
        best = jax.lax.top_k(probs, 2)[0][..., -1:]
        kept = jnp.where(probs >= jnp.broadcast_to(best, probs.shape), probs, 0)
        gates = kept / kept.sum(-1, keepdims=True)
        every = jax.vmap(lambda p: nn.MLP(3)(p, x))(params["experts"])
        return jnp.einsum("bte,ebtd->btd", gates, every) + shared(params["shared"], x)

    both = [
        jax.jit(jax.value_and_grad(lambda p, x, f=f: jnp.sin(f(p, x)).sum(), (0, 1)))(params, x)
        for f in (layer, dense)
    ]
    jax.tree.map(close, *both)
    assert abs(both[0][1][0]["router"]["kernel"]).min() > 0, "the router learns"


def test_the_order_of_experts_does_not_matter():
    x, order = draw(X), jnp.array([2, 0, 3, 1])
    layer = mixture(k=2, capacity_factor=1.0)
    params = layer.init(jax.random.key(0), x)
    turned = {
        "router": {"kernel": params["router"]["kernel"][:, order]},
        "experts": jax.tree.map(lambda leaf: leaf[order], params["experts"]),
    }
    call = jax.jit(layer)
    close(call(turned, x), call(params, x))


def test_a_router_that_chooses_one_expert_learns():
    x, layer = draw(X), mixture(k=1)
    params = layer.init(jax.random.key(0), x)
    grads = jax.jit(jax.grad(lambda p: layer(p, x).sum()))(params)
    assert abs(grads["router"]["kernel"]).max() > 1e-6


def test_masked_tokens_take_no_room_and_are_not_read():
    x, layer = draw(X), mixture(k=1, capacity_factor=1.0, shared=nn.Linear(4), group=3)
    params = layer.init(jax.random.key(0), x)
    mask = jnp.arange(6) % 3 != 0
    mask = jnp.stack([mask, jnp.ones(6, bool)])
    call = jax.jit(layer.with_losses)
    y, losses = call(params, x.at[0, ::3].set(jnp.nan), mask=mask)
    assert not y[0, ::3].any() and jnp.isfinite(y).all()
    clean, others = call(params, x, mask=mask)
    close(y, clean)
    jax.tree.map(close, losses, others)


def test_the_bias_evens_the_loads():
    x = draw((1, 64, 4)) + 1
    layer = mixture(k=1, balance=0.02, gates="sigmoid")
    params = layer.init(jax.random.key(1), x)

    def loads(params):
        scores = jax.nn.sigmoid(x @ params["router"]["kernel"])
        chosen = (scores + jnp.broadcast_to(params["stats"]["bias"], scores.shape)).argmax(-1)
        return jnp.bincount(chosen.ravel(), length=4)

    @jax.jit
    def step(params, _):
        pulled = jax.grad(lambda p: layer(p, x, key=jax.random.key(0)).sum())(params)
        running, grads = stats.divide(params)[1], stats.divide(pulled)[1]
        return stats.unite(stats.divide(params)[0], stats.update(running, grads)), None

    before = loads(params)
    after = loads(jax.lax.scan(step, params, length=80)[0])
    assert before.max() >= 40 and after.max() <= 24, (before, after)


def test_losses_are_least_for_even_loads():
    chosen = jnp.array([[0], [1], [2]])
    even, skew = jnp.full((3, 3), 1 / 3), jnp.array([[0.8, 0.1, 0.1]] * 3)
    close(nn.load_balancing_loss(even, chosen), jnp.ones(()))
    close(nn.load_balancing_loss(skew, 0 * chosen), jnp.asarray(2.4))
    layer, x = mixture(k=2), draw(X)
    params = layer.init(jax.random.key(0), x)
    y, losses = jax.jit(layer.with_losses)(params, x)
    close(y, jax.jit(layer)(params, x))
    assert losses["load_balancing"] >= 0.9 and losses["router_z"] > 0


@pytest.mark.oracle("nn.grouped_linear", gradients=True)
@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=3, max_size=3))
def test_grouped_rows_each_meet_their_kernel(sizes):
    x, kernel = draw((12, 3)), draw((3, 3, 2), 1)
    groups = np.repeat(np.arange(4), [*sizes, 12 - sum(sizes)])
    y, grads = grouped(x, kernel, jnp.array(sizes))
    each = np.concatenate([kernel, np.zeros((1, 3, 2))])[groups]
    close(y, np.einsum("ni,nio->no", x, each))
    close(grads[0], np.einsum("no,nio->ni", np.cos(y), each))
    rows = [groups == g for g in range(3)]
    close(grads[1], np.stack([np.asarray(x)[r].T @ np.cos(y)[r] for r in rows]))
