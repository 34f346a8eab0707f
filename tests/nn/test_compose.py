import chex
import jax
import jax.numpy as jnp
import pytest
from exact import close, draw

from jaxnet import nn

key = jax.random.key(0)
x = jax.random.normal(key, (5, 3))


class Block(nn.Layer):
    def __call__(self, params, x, *, key=None):
        x = nn.BatchNorm()(params["norm"], jnp.tanh(nn.Linear(3)(params["linear"], x)), key=key)
        return nn.dropout(x, 0.2, key)


def by_hand(params, x, key, n):
    keys = [None] * n if key is None else jax.random.split(key, n)
    for i in range(n):
        x = Block()(jax.tree.map(lambda leaf, i=i: leaf[i], params), x, key=keys[i])
    return x


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"unroll": 2},
        {"remat": True},
        {"remat": jax.checkpoint_policies.dots_saveable},
        {"remat": "dots"},
        {"remat": "attention"},
        {"scan": False},
        {"scan": False, "remat": True},
    ],
    ids=["plain", "unroll", "remat", "policy", "dots", "attention", "loop", "loop-remat"],
)
def test_every_form_of_repeat_is_the_loop_in_values_and_gradients(options, training):
    repeat, call_key = nn.Repeat(Block(), 3, **options), key if training else None
    params = repeat.init(key, x)

    def total(run):
        return jax.jit(jax.value_and_grad(lambda p, x: jnp.square(run(p, x)).sum(), (0, 1)))

    ours = total(lambda p, x: repeat(p, x, key=call_key))(params, x)
    expected = total(lambda p, x: by_hand(p, x, call_key, 3))(params, x)
    chex.assert_trees_all_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_remat_keeps_the_products_it_says():
    net = lambda remat: nn.Repeat(nn.Sequential(nn.Linear(3), jnp.tanh), 4, remat=remat)
    params = net(False).init(key, x)

    def dots(remat):
        loss = lambda params: net(remat)(params, x).sum()
        return str(jax.make_jaxpr(jax.grad(loss))(params)).count("dot_general")

    # The input's gradient, the kernel's, and what is computed in the forward pass, or twice.
    assert [dots(remat) for remat in (False, "dots", "attention", True)] == [3, 3, 4, 4]


@pytest.mark.parametrize(
    ("backend", "n", "options", "loops"),
    [
        ("cpu", 3, {}, 1),
        ("gpu", 24, {}, 0),
        ("gpu", 25, {}, 1),
        ("gpu", 3, {"unroll": 2}, 1),
        ("gpu", 3, {"scan": True}, 1),
        ("cpu", 3, {"scan": False}, 0),
        ("tpu", 3, {}, 1),
    ],
)
def test_a_few_repetitions_are_written_out_on_a_gpu(backend, n, options, loops, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    repeat = nn.Repeat(nn.Linear(3), n, **options)
    text = str(jax.make_jaxpr(repeat)(repeat.init(key, x), x))
    assert text.count("scan[") == loops
    assert text.count("dot_general") == (1 if loops else n)


def test_an_eager_repeat_is_traced_once():
    traces = []

    @nn.layer
    def counted(params, x, *, key=None):
        traces.append(None)
        return nn.Linear(3)(params, x)

    params = nn.Repeat(counted, 2).init(key, x)
    nn.Repeat(counted, 2)(params, x)
    before = len(traces)
    nn.Repeat(counted, 2)(params, x)
    assert len(traces) == before


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Repeat(nn.Linear(4), 2), r"Repeat\(Linear\(4\), 2\) needs a layer that keeps shape.*"),
        (nn.Residual(nn.Linear(4)), r"float32\[5,4\] of float32\[5,3\]"),
        (
            nn.Residual(nn.layer(lambda p, x, *, key=None: x.astype(jnp.bfloat16))),
            r"made bfloat16\[5,3\] of float32\[5,3\]",
        ),
    ],
)
def test_repeat_and_residual_keep_shape_and_dtype(layer, message):
    with pytest.raises(ValueError, match=message):
        layer.init(key, x)


def test_repeat_checks_the_leading_axis():
    params = nn.Repeat(nn.Linear(3), 3).init(key, x)
    with pytest.raises(ValueError, match=r"mismatch    kernel: given float32\[3,3,3\], needs"):
        nn.Repeat(nn.Linear(3), 4)(params, x)


def test_each_part_of_a_sequential_has_a_key_of_its_own():
    ones = jnp.ones((1000,))
    once = nn.Sequential(nn.Dropout(0.5))({}, ones, key=key) != 0
    twice = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5))({}, ones, key=key) != 0
    assert 0.45 < once.mean() < 0.55 and 0.2 < twice.mean() < 0.3


@pytest.mark.parametrize("make", [lambda: nn.Repeat(nn.Linear(3), 0), lambda: nn.MLP(0)])
def test_sizes_are_positive(make):
    with pytest.raises(ValueError, match="must be an int of at least 1, but is 0"):
        make().init(key, x)


@pytest.mark.oracle("nn.Branches", "nn.Sequential", "nn.Residual", gradients=True)
@pytest.mark.parametrize(
    ("merge", "reference"),
    [
        ("sum", lambda a, b: a + b),
        ("mean", lambda a, b: (a + b) / 2),
        ("product", lambda a, b: a * b),
        ("max", lambda a, b: jnp.where(a > b, a, b)),
        ("min", lambda a, b: jnp.where(a < b, a, b)),
        ("concatenate", lambda a, b: jnp.concatenate([a, b], -1)),
        (jnp.subtract, lambda a, b: a - b),
    ],
    ids=["sum", "mean", "product", "max", "min", "concatenate", "subtract"],
)
def test_combinators_are_their_formulas(merge, reference, strict):
    inner = nn.Sequential(jnp.sin, nn.Residual(jnp.cos))
    layer, x = nn.Branches(inner, jnp.tanh, merge=merge), draw((3, 4))

    def formula(x):
        return reference(jnp.sin(x) + jnp.cos(jnp.sin(x)), jnp.tanh(x))

    close(layer({}, x), formula(x))
    close(jax.grad(lambda x: layer({}, x).sum())(x), jax.grad(lambda x: formula(x).sum())(x))
