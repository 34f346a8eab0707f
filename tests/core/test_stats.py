import chex
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaxnet.core import stats

x = jax.random.normal(jax.random.key(0), (6, 3))
RATE = 0.25


def layer(params, x):
    """Counts on nothing but the rule: the mean of what passes by."""
    y = params["weight"] * x
    return stats.learn(y, params["stats"], {"mean": y.mean(0)}, RATE)


def params():
    return {"weight": jnp.float32(2.0), "stats": {"mean": jnp.array([1.0, 2.0, 3.0])}}


def pull(params, x):
    return RATE * (params["stats"]["mean"] - params["weight"] * x.mean(0))


def loss(params, x):
    return 100 * jnp.square(layer(params, x)).sum()


def test_the_gradient_is_the_pull_whatever_the_loss():
    grads = jax.grad(loss)(params(), x)
    chex.assert_trees_all_close(grads["stats"]["mean"], pull(params(), x), rtol=1e-6)
    plain = jax.grad(lambda w: 100 * jnp.square(w * x).sum())(2.0)
    chex.assert_trees_all_close(grads["weight"], plain)
    # The pull is the gradient of rate/2 |mean - batch_mean|^2.
    energy = lambda m: RATE / 2 * jnp.square(m - 2.0 * x.mean(0)).sum()
    expected = jax.grad(energy)(params()["stats"]["mean"])
    chex.assert_trees_all_close(grads["stats"]["mean"], expected, rtol=1e-6)


def test_the_rule_holds_under_jit_remat_and_scan():
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), params())

    def scanned(stacked, x):
        once = jax.checkpoint(lambda x, params: (layer(params, x), None))
        return jnp.square(jax.lax.scan(once, x, stacked)[0]).sum()

    grads = jax.jit(jax.grad(scanned))(stacked, x)
    first, second = (jax.tree.map(lambda leaf, i=i: leaf[i], stacked) for i in range(2))
    expected = jnp.stack([pull(first, x), pull(second, first["weight"] * x)])
    chex.assert_trees_all_close(grads["stats"]["mean"], expected, atol=1e-6)


def test_the_rule_holds_under_vmap_and_averages_over_microbatches():
    parts = x.reshape(3, 2, 3)
    grads = jax.vmap(jax.grad(loss), in_axes=(None, 0))(params(), parts)
    each = jnp.stack([pull(params(), part) for part in parts])
    chex.assert_trees_all_close(grads["stats"]["mean"], each, rtol=1e-5)
    chex.assert_trees_all_close(each.mean(0), pull(params(), x), rtol=1e-5)


def test_forward_over_reverse_and_second_order_go_through():
    w = lambda w: loss(params() | {"weight": w}, x)
    expected = 200 * jnp.square(x).sum()
    chex.assert_trees_all_close(jax.jvp(jax.grad(w), (2.0,), (1.0,))[1], expected, rtol=1e-5)
    chex.assert_trees_all_close(jax.grad(jax.grad(w))(2.0), expected, rtol=1e-5)


def test_update_moves_the_statistic_by_the_rate():
    before = params()["stats"]
    after = stats.update(before, jax.grad(loss)(params(), x)["stats"])
    expected = (1 - RATE) * before["mean"] + RATE * 2.0 * x.mean(0)
    chex.assert_trees_all_close(after["mean"], expected, rtol=1e-6)


trees = st.recursive(
    st.dictionaries(st.sampled_from(["w", "b"]), st.integers(), min_size=1),
    lambda inner: st.dictionaries(st.sampled_from(["w", "b", "block", "stats"]), inner, min_size=1),
    max_leaves=8,
)


@given(trees)
def test_unite_is_the_inverse_of_divide(tree):
    weights, statistics = stats.divide(tree)
    assert stats.unite(weights, statistics) == tree
    assert "stats" not in str(weights)
    assert len(jax.tree.leaves(weights)) + len(jax.tree.leaves(statistics)) == len(
        jax.tree.leaves(tree)
    )


def test_divide_leaves_its_input_alone():
    tree = {"bn": {"scale": 1, "stats": {"mean": 2}}}
    weights, _ = stats.divide(tree)
    weights["bn"]["scale"] = 5
    assert tree == {"bn": {"scale": 1, "stats": {"mean": 2}}}
    assert np.asarray(tree["bn"]["scale"]) == 1
