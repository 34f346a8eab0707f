"""Tables: what holds between look-ups, bags and scores."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact import close, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnet import nn

key = jax.random.key(0)
IDS = jnp.array([[3, 1, 3], [0, 5, 1]])


@pytest.mark.oracle("nn.Embed.attend", gradients=True)
def test_attend_scores_by_the_table(strict):
    layer, x, table = nn.Embed(7, 3), draw((2, 4, 3)), draw((7, 3), 1)
    scores, pull = jax.vjp(lambda p, x: layer.attend(p, x), {"kernel": table}, x)
    close(scores, jnp.einsum("btd,vd->btv", x, table))
    cotangent = draw(scores.shape, 2)
    params, dx = pull(cotangent)
    close(params["kernel"], jnp.einsum("btd,btv->vd", x, cotangent))
    close(dx, jnp.einsum("btv,vd->btd", cotangent, table))


def test_a_tied_model_has_one_table():
    @nn.layer
    def net(params, ids, *, key=None):
        table = nn.Embed(7, 3)
        return table.attend(params["table"], table(params["table"], ids))

    params = net.init(key, IDS)
    assert jax.tree.map(jnp.shape, params) == {"table": {"kernel": (7, 3)}}
    rows = params["table"]["kernel"]
    np.testing.assert_allclose(net(params, IDS), rows[IDS] @ rows.T, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_a_bag_of_one_is_a_look_up(strict, mode):
    table = draw((7, 3))
    close(nn.embedding_bag(IDS[..., None], table, mode=mode), nn.embed(IDS, table))


CUTS = st.lists(st.integers(0, 8), min_size=3, max_size=3).map(sorted)


@settings(max_examples=15, deadline=None)
@given(CUTS, st.sampled_from(["sum", "mean", "max"]))
def test_bags_of_unequal_size(cuts, mode):
    ids = np.array([3, 1, 3, 0, 6, 6, 2, 1])
    table = draw((7, 3)).astype(jnp.float32)
    rows, mask = nn.split_bags(jnp.asarray(ids), jnp.asarray([0, *cuts]), 8)
    bags = nn.embedding_bag(rows, table, mode=mode, mask=mask)
    reduce = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode]
    for bag, own in zip(bags, np.split(ids, cuts), strict=True):
        expected = reduce(np.asarray(table)[own], 0) if own.size else np.zeros(3)
        np.testing.assert_allclose(bag, expected, atol=1e-5)


def test_no_bags_and_no_ids():
    rows, mask = nn.split_bags(jnp.zeros(0, jnp.int32), jnp.array([0, 0]), 2)
    assert not mask.any()
    assert (nn.embedding_bag(rows, jnp.ones((7, 3)), mask=mask) == 0).all()


@pytest.mark.oracle("nn.split_bags", gradients=True)
def test_bags_are_split_and_cut(strict):
    x = draw((6,))
    rows, mask = nn.split_bags(x, jnp.array([0, 2, 2, 5]), 2)
    np.testing.assert_array_equal(mask, [[1, 1], [0, 0], [1, 1], [1, 0]])
    expected = [[x[0], x[1]], [0, 0], [x[2], x[3]], [x[5], 0]]
    close(jnp.where(mask, rows, 0), jnp.asarray(expected, x.dtype))
    offsets = jnp.array([0, 2, 2, 5])
    grad = jax.grad(lambda x: jnp.where(mask, nn.split_bags(x, offsets, 2)[0], 0).sum())(x)
    close(grad, jnp.array([1.0, 1, 1, 1, 0, 1]))


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([1.0, 2.0, 3.5, float("inf")]), st.floats(0.01, 5))
def test_rows_are_at_most_as_long_as_allowed_and_keep_their_direction(order, most):
    table = draw((7, 3)).astype(jnp.float32)
    rows = nn.embed(jnp.arange(7), table, max_norm=most, norm=order)
    before = np.linalg.norm(table, order, 1)
    after = np.linalg.norm(rows, order, 1)
    np.testing.assert_allclose(after, np.minimum(before, most), rtol=1e-5)
    np.testing.assert_allclose(rows / after[:, None], table / before[:, None], rtol=1e-4)


def test_padding_starts_at_zero_and_stays_there():
    for layer in (nn.Embed(7, 3, padding=-2), nn.EmbeddingBag(7, 3, padding=5)):
        params = layer.init(key, IDS)
        assert (params["kernel"][5] == 0).all()
        assert (params["kernel"] != 0).sum() == 18
        grad = jax.grad(lambda p, layer=layer: jnp.cos(layer(p, IDS)).sum())(params)["kernel"]
        assert (grad[5] == 0).all()


def test_an_id_outside_the_table_is_seen():
    ids = jnp.array([0, 7, -1])
    table = jnp.ones((7, 2))
    every: list[dict[str, Any]] = [
        {}, {"scale_by_frequency": True}, {"padding": 0}, {"max_norm": 1.0}
    ]  # fmt: skip
    for options in every:
        rows = jax.jit(lambda ids, options=options: nn.embed(ids, table, **options))(ids)
        np.testing.assert_array_equal(jnp.isnan(rows).any(-1), [False, True, True])


def test_bags_of_nothing_are_zeros():
    table = draw((7, 3)).astype(jnp.float32)
    mask = jnp.zeros((2, 3), bool)
    for mode in ("sum", "mean", "max"):
        bag = lambda t, mode=mode: nn.embedding_bag(IDS, t, mode=mode, mask=mask)
        assert (bag(table) == 0).all()
        assert (jax.grad(lambda t, bag=bag: (bag(t) + 1).sum())(table) == 0).all()


def test_a_mean_of_many_in_sixteen_bits():
    ids = jnp.zeros((1, 3000), jnp.int32)
    table = jnp.full((1, 2), 1.5, jnp.bfloat16)
    assert (nn.embedding_bag(ids, table) == 1.5).all()
