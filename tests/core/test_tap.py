import chex
import jax
import jax.numpy as jnp
import pytest

import jaxnet as jn
from jaxnet import nn

x = jax.random.normal(jax.random.key(1), (4, 3))


class Tapped(nn.Layer):
    def __call__(self, params, x, *, key=None):
        h = jn.tap(params, "hidden", nn.Linear(3)(params["linear"], x))
        return jnp.tanh(h)


net = nn.Repeat(Tapped(), 2, remat=True)
params = net.init(jax.random.key(0), x)
zeros = jnp.zeros((2, *x.shape))


def with_tap(kind, leaf):
    return params | {"taps": {"hidden": {kind: leaf}}}


def hidden():
    """What passes the tap in each repetition, computed by hand."""
    h, seen = x, []
    for i in range(2):
        h = h @ params["linear"]["kernel"][i] + params["linear"]["bias"][i][None]
        seen.append(h)
        h = jnp.tanh(h)
    return jnp.stack(seen)


def test_without_a_leaf_a_tap_leaves_no_trace():
    @nn.layer
    def plain(params, x, *, key=None):
        return jnp.tanh(nn.Linear(3)(params["linear"], x))

    one = jax.tree.map(lambda leaf: leaf[0], params)
    assert str(jax.make_jaxpr(Tapped())(one, x)) == str(jax.make_jaxpr(plain)(one, x))
    assert set(jn.specs(Tapped(), x)) == {"linear"}


def test_record_brings_activations_back_as_gradients():
    grads = jax.jit(jax.grad(lambda p: net(p, x).sum()))(with_tap("record", zeros))
    chex.assert_trees_all_close(grads["taps"]["hidden"]["record"], hidden(), atol=1e-6)
    chex.assert_trees_all_close(net(with_tap("record", zeros), x), net(params, x))


def test_record_works_under_vmap():
    taps = jnp.zeros((x.shape[0], *x.shape[1:]))
    one = jax.tree.map(lambda leaf: leaf[0], params)

    def row(x, leaf):
        tapped = one | {"taps": {"hidden": {"record": leaf}}}
        return jax.grad(lambda p: Tapped()(p, x).sum())(tapped)["taps"]["hidden"]["record"]

    chex.assert_trees_all_close(jax.vmap(row)(x, taps), hidden()[0], atol=1e-6)


def test_add_steers_and_its_gradient_is_the_activations():
    shift = jax.random.normal(jax.random.key(2), zeros.shape)
    h = x
    for i in range(2):
        h = jnp.tanh(
            h @ params["linear"]["kernel"][i] + params["linear"]["bias"][i][None] + shift[i]
        )
    chex.assert_trees_all_close(net(with_tap("add", shift), x), h, atol=1e-6)
    grads = jax.grad(lambda p: net(p, x).sum())(with_tap("add", zeros))
    expected = 1 - jnp.square(jnp.tanh(hidden()[1]))
    chex.assert_trees_all_close(grads["taps"]["hidden"]["add"][1], expected, atol=1e-6)


def test_replace_patches():
    patch = jax.random.normal(jax.random.key(3), zeros.shape)
    chex.assert_trees_all_close(net(with_tap("replace", patch), x), jnp.tanh(patch[1]))


@pytest.mark.parametrize(
    ("tap", "message"),
    [
        ({"remove": x}, "must be a dict with one of the keys 'add', 'replace', 'record'"),
        (x, r"must be a dict .* but is float32\[4,3\]"),
        ({"add": jnp.ones(3)}, r"is float32\[3\], but the activation there is float32\[4,3\]"),
    ],
)
def test_taps_that_do_not_fit(tap, message):
    with pytest.raises(ValueError, match=message):
        jn.tap({"taps": {"hidden": tap}}, "hidden", x)


def test_a_tap_of_another_dtype_records_in_its_own():
    leaf = jnp.zeros(x.shape, jnp.float32)
    half = x.astype(jnp.bfloat16)
    run = lambda leaf: jn.tap({"taps": {"h": {"record": leaf}}}, "h", half).sum()
    chex.assert_trees_all_close(jax.grad(run)(leaf), half.astype(jnp.float32))
