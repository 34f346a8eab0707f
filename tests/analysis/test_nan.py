"""Each cause of a loss or gradient that is not finite is named, and what is masked is not."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnet as jn
from jaxnet import nn
from jaxnet.analysis.nan import Values, find_nonfinite

key = jax.random.key(0)
x = jnp.linspace(-1.0, 1.0, 12).reshape(4, 3)


@nn.layer
def gated(params, x, *, key=None):
    gate = jn.param(params, "gate", (4,), jax.nn.initializers.ones)
    h = nn.Linear(4)(params["up"], x) * jnp.broadcast_to(jnp.log(gate), (4, 4))
    return nn.Linear(x.shape[-1])(params["down"], h)


class Block(nn.Layer):
    def __call__(self, params, x, *, key=None):
        x = x + nn.MultiHeadAttention(1)(params["attn"], nn.RMSNorm()(params["norm1"], x))
        return x + gated(params["mlp"], nn.RMSNorm()(params["norm2"], x))


def model(net, *inputs):
    """A loss on the mean of a layer's output, and its parameters."""
    return lambda params, x, key: net(params, x, key=key).mean(), net.init(key, *inputs)


@pytest.mark.parametrize("remat", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_log_of_zero_in_one_block_of_a_transformer(remat):
    net = nn.Sequential(nn.Linear(4), nn.Repeat(Block(), 6, remat=remat), nn.LayerNorm())
    loss_fn, params = model(net, x)
    # Under another name the same program is traced before without paths, as in training.
    params["1"]["mlp"]["gate"] = params["1"]["mlp"]["gate"].at[3, 2].set(0.0)
    assert not jnp.isfinite(jax.jit(loss_fn)(params, x, key))
    found = find_nonfinite(loss_fn, params, x, key)
    assert found is not None
    assert (found.phase, found.operation, found.path) == ("forward", "log", "1/mlp")
    assert (found.iteration, found.index) == (((3, 6),), (2,))
    assert found.inputs == (Values("float32[4]", 0.0, 1.0, 1, 0, 0, 4),)
    text = str(found)
    assert "forward pass of 1/mlp, iteration 3 of 6 (counted from 0): log made infinite" in text
    assert "input   float32[4] from 0 to 1, 1 of 4 zero" in text
    assert re.search(r"then    \w+ in .* made NaN of it", text)
    assert "jnp.maximum(x, 1e-6)" in text
    assert re.search(r"test_nan\.py:\d+ in gated: h = nn.Linear.*jnp.log\(gate\)", found.source)


def test_a_repeat_in_a_repeat_counts_both():
    shift = nn.layer(lambda p, x, *, key=None: x + jnp.log(jn.param(p, "w", (1, 3), ones)))
    net = nn.Repeat(nn.Sequential(nn.Repeat(shift, 2), nn.Linear(3)), 3)
    loss_fn, params = model(net, x)
    params["0"]["w"] = params["0"]["w"].at[1, 0, 0, 2].set(-1.0)
    found = find_nonfinite(loss_fn, params, x, None)
    assert found is not None
    assert (found.path, found.iteration) == ("0", ((1, 3), (0, 2)))
    assert found.inputs[0].least == -1


ones = jax.nn.initializers.ones


@pytest.mark.parametrize(
    "call",
    [
        lambda p, x: nn.Linear(3)(p["b"], x),
        lambda p, x: jax.checkpoint(lambda p, x: nn.Linear(3)(p["b"], x))(p, x),
        lambda p, x: jax.vmap(lambda x: nn.Linear(3)(p["b"], x))(x),
        lambda p, x: jax.jit(lambda p, x: nn.Linear(3)(p["b"], x))(p, x),
    ],
    ids=["call", "checkpoint", "vmap", "jit"],
)
def test_the_path_survives_transforms(call):
    params = {"a": {"c": {"b": nn.Linear(3).init(key, x)}, "scale": jnp.ones((1, 3))}}
    params["a"]["c"]["b"]["kernel"] *= 3e38
    outer = nn.layer(lambda p, x, *, key=None: call(p["c"], x) * p["scale"])
    found = find_nonfinite(lambda p, x, key: outer(p["a"], x).sum(), params, 9 + x, None)
    assert found is not None
    assert (found.operation, found.path) == ("dot_general", "a/c/b")
    assert "float32 ends at 3.4e+38" in found.advice


def test_a_layer_without_parameters_has_its_own_name():
    class Root(nn.Layer):
        def __call__(self, params, x, *, key=None):
            return jnp.sqrt(x)

    net = nn.Sequential(nn.Linear(2), Root())
    loss_fn, params = model(net, x)
    found = find_nonfinite(loss_fn, params, x, None)
    assert found is not None
    assert (found.operation, found.path) == ("sqrt", "Root")
    assert "The root of a negative number is NaN" in found.advice


w = {"w": jnp.array([1.0, 0.0, 2.0])}

BENIGN = {
    "finite": lambda p, x: (p["w"] * x).sum(),
    "where": lambda p, x: jnp.where(x > 1, 1 / jnp.where(x > 1, p["w"] - x, 1.0), 0.0).sum(),
    "behind where": lambda p, x: jnp.where(x > 1, p["w"], jnp.log(0 * x)).max(),
    "mask": lambda p, x: jax.nn.softmax(jnp.where(x > 0, x, -jnp.inf) + p["w"]).max(),
    "greatest": lambda p, x: jax.lax.fori_loop(
        0, 3, lambda i, m: jnp.maximum(m, p["w"][i]), -jnp.inf
    ),
    "logsumexp": lambda p, x: jax.nn.logsumexp(jnp.array([-jnp.inf, 1.0, 2.0]) + p["w"]),
    "least": lambda p, x: jnp.min(p["w"], initial=jnp.inf),
}  # fmt: skip


@pytest.mark.parametrize("name", BENIGN)
def test_what_never_reaches_the_loss_is_no_fault(name):
    row = jnp.array([1.0, 2.0, -1.0])
    assert find_nonfinite(lambda p, x, key: BENIGN[name](p, x), w, row, None) is None


def test_behind_what_is_masked_the_fault_is_found():
    def loss_fn(params, x, key):
        masked = jnp.where(x > 0, jnp.log(x * x), 0.0)
        return jax.nn.softmax(jnp.where(x > 0, masked, -jnp.inf)).sum() / params["w"][1]

    found = find_nonfinite(loss_fn, w, jnp.array([1.0, 0.0, 2.0]), None)
    assert found is not None
    assert found.operation == "div"
    assert "Division by 0" in found.advice


def test_a_row_that_is_masked_whole():
    def loss_fn(params, mask, key):
        scores = jnp.stack([params["w"], params["w"]])
        return jax.nn.softmax(jnp.where(mask, scores, -jnp.inf)).sum()

    mask = jnp.array([[True, True, False], [False, False, False]])
    found = find_nonfinite(loss_fn, w, mask, None)
    assert found is not None
    assert found.operation == "sub"
    assert found.index[0] == 1
    assert "a whole row is masked" in found.advice


def test_masked_rows_of_attention_are_no_fault():
    def loss_fn(params, mask, key):
        heads = params["w"].reshape(3, 1, 1)
        return nn.attention(heads, heads, heads, mask=mask).sum()

    mask = jnp.zeros((3, 3), bool).at[0].set(True)
    assert find_nonfinite(loss_fn, w, mask, None) is None


@pytest.mark.parametrize(
    ("fn", "operation"),
    [
        (lambda w: jnp.where(w > 0, jnp.log(w), 0.0).sum(), "div"),
        (lambda w: jnp.sqrt(w).sum(), "div"),
        (lambda w: jnp.linalg.norm(w * jnp.array([0.0, 1.0, 0.0])), "div"),
        (lambda w: (w**0.5).sum(), "pow"),
    ],
    ids=["where", "sqrt", "norm", "power"],
)
def test_a_gradient_alone_is_explained_by_a_slope(fn, operation):
    @nn.layer
    def net(params, x, *, key=None):
        return fn(params["w"])

    loss_fn = lambda params, x, key: net(params["body"], x) + params["other"].sum()
    params = {"body": w, "other": jnp.ones(2)}
    found = find_nonfinite(loss_fn, params, x, None)
    assert found is not None
    assert (found.phase, found.gradient, found.path) == ("backward", "body/w", "body")
    assert found.operation == operation
    assert "0 times infinity" in found.advice
    assert "test_nan.py" in found.source
    assert str(found).startswith("The gradient of body/w is not finite. It begins in the backward")


def test_a_gradient_in_a_loop_names_the_iteration():
    root = nn.layer(lambda p, x, *, key=None: x + jnp.sqrt(jn.param(p, "w", (1, 3), ones)))
    loss_fn, params = model(nn.Repeat(root, 4, remat=True), x)
    params["w"] = params["w"].at[1, 0, 0].set(0.0)
    found = find_nonfinite(loss_fn, params, x, None)
    assert found is not None
    assert (found.phase, found.gradient, found.iteration) == ("backward", "w", ((1, 4),))


@pytest.mark.parametrize(
    ("params", "batch", "path", "advice"),
    [
        ({"a": {"w": jnp.array([1, jnp.nan])}}, (np.ones(2), 1.0), "params/a/w", "step that wrote"),
        ({"a": {"w": jnp.ones(2)}}, (np.array([1.0, np.inf]), 1.0), "batch/0", "Clean the data"),
        ({"a": {"w": jnp.ones(2)}}, (np.ones(2), float("nan")), "batch/1", "Clean the data"),
    ],
    ids=["parameter", "array", "number"],
)  # fmt: skip
def test_what_was_given_broken_is_named(params, batch, path, advice):
    loss_fn = lambda p, batch, key: (p["a"]["w"] * batch[0] * batch[1]).sum()
    found = find_nonfinite(loss_fn, params, batch, None)
    assert found is not None
    assert (found.operation, found.path, found.inputs) == ("input", path, ())
    assert advice in found.advice
    assert f"It begins in what was given: {path} holds" in str(found)


def test_an_overflow_in_half_precision():
    def loss_fn(params, x, key):
        h = (params["w"] * x).astype(jnp.float16)
        return (h * h).astype(jnp.float32).sum()

    found = find_nonfinite(loss_fn, w, jnp.full(3, 200.0), None)
    assert found is not None
    assert (found.operation, found.output.what) == ("mul", "float16[3]")
    assert found.inputs[0].greatest == 400
    assert "float16 ends at 65504" in found.advice


@pytest.mark.parametrize(
    ("fn", "operation", "advice"),
    [
        (lambda w: jnp.exp(99 * w), "exp", "exp of more than 88.7 overflows float32"),
        (lambda w: w**-2, "integer_pow", "0 to a negative power"),
        (jnp.arctanh, "atanh", "inside its domain"),
        (lambda w: jnp.take(w, jnp.array(5)), "gather", "index out of range"),
        (lambda w: jnp.linalg.cholesky(jnp.diag(w - 1)), "cholesky", "not positive definite"),
        (lambda w: jnp.where(w > 1, jnp.nan, w), "select_n", "stands in the program itself"),
        (lambda w: jax.lax.lgamma(w), "lgamma", "ends at"),
        (lambda w: jnp.arccosh(w + 0.5), "acosh", "x >= 1"),
    ],
    ids=["exp", "power", "atanh", "take", "cholesky", "constant", "lgamma", "acosh"],
)
def test_each_operation_has_its_remedy(fn, operation, advice):
    found = find_nonfinite(lambda p, x, key: fn(p["w"]).sum(), w, x, None)
    assert found is not None
    assert found.operation == operation
    assert advice in found.advice


def test_the_key_is_that_of_the_step():
    # Of these keys, only some keep the entry whose log is infinite.
    def loss_fn(params, x, key):
        return (nn.dropout(jnp.log(x), 0.5, key) + params["w"]).sum()

    batch = jnp.array([0.0, 1.0, 2.0])
    found = []
    for i in range(3):
        bad = not jnp.isfinite(loss_fn(w, batch, jax.random.key(i)))
        found.append(find_nonfinite(loss_fn, w, batch, jax.random.key(i)) is not None)
        assert found[-1] == bad
    assert set(found) == {True, False}


def test_statistics_and_metrics_pass():
    norm = nn.BatchNorm()
    params = norm.init(key, x)

    def loss_fn(params, x, key):
        return norm(params, x, key=key).sum(), {"ratio": jnp.log(0.0 * x)}

    assert find_nonfinite(loss_fn, params, x, key) is None
    params["scale"] = params["scale"].at[0].set(jnp.inf)
    found = find_nonfinite(loss_fn, params, x, key)
    assert found is not None
    assert found.path == "params/scale"


def test_debugging_of_nan_may_be_on():
    with jax.debug_nans(True):
        found = find_nonfinite(lambda p, x, key: jnp.sqrt(p["w"] - 1).sum(), w, x, None)
    assert found is not None
    assert found.operation == "sqrt"


def test_nothing_is_left_in_other_programs():
    net = nn.Sequential(nn.Linear(2), nn.Repeat(nn.Linear(2), 2))
    loss_fn, params = model(net, x)
    stacks = lambda: [
        str(eqn.source_info.name_stack)
        for eqn in jax.make_jaxpr(lambda *args: loss_fn(*args))(params, x, None).jaxpr.eqns
    ]
    before = stacks()
    find_nonfinite(loss_fn, params, x, None)
    assert stacks() == before == [""] * len(before)


def test_a_loss_must_be_a_scalar():
    with pytest.raises(ValueError, match=r"scalar floating-point loss, but returned float32\[3\]"):
        find_nonfinite(lambda p, x, key: p["w"], w, x, None)


def test_values_of_keys_and_integers_are_counted():
    assert str(Values.of(jnp.array([0, 3]))) == "int32[2] from 0 to 3, 1 of 2 zero"
    assert str(Values.of(jax.random.key(0))) == "key<fry>[]"
    assert str(Values.of(jnp.full(2, jnp.inf))) == "float32[2], 2 of 2 infinite"
