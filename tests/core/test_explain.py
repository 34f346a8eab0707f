from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jaxnet import nn

x = jnp.ones((2, 3))
key = jax.random.key(0)


class Broken(nn.Layer):
    """Multiplies by a matrix that fits no input but one of 7 features."""

    def __call__(self, params, x, *, key=None):
        return x @ jnp.ones((7, 7))


class Block(nn.Layer):
    inner: nn.Layer

    def __call__(self, params, x, *, key=None):
        return self.inner(params["inner"], nn.Linear(4)(params["up"], x))


@nn.layer
def net(params, x, *, key=None):
    return Block(Broken())(params["blocks"], x)


def notes(call):
    with pytest.raises(TypeError) as caught:
        call()
    return "\n".join(caught.value.__notes__)


WAY = [
    "The error arose in:",
    "  (top): net on float32[2,3]",
    "  blocks: Block(Broken()) on float32[2,3]",
    "  blocks/inner: Broken() on float32[2,4]",
]


@pytest.mark.parametrize(
    "call",
    [
        lambda params: net(params, x),
        lambda params: jax.jit(net)(params, x),
        lambda params: jax.grad(lambda p: net(p, x).sum())(params),
        lambda params: net.init(key, x),
    ],
    ids=["call", "jit", "grad", "init"],
)
def test_an_error_names_the_layers_and_paths_on_the_way(call):
    up = nn.Linear(4).init(key, x)
    assert "\n".join(WAY) in notes(lambda: call({"blocks": {"up": up, "inner": {}}}))


def test_the_way_leads_through_a_scan():
    deep = nn.Sequential(nn.Linear(3), nn.Repeat(nn.Sequential(nn.Linear(3), Broken()), 2))
    good = nn.Sequential(nn.Linear(3), nn.Repeat(nn.Sequential(nn.Linear(3), nn.LayerNorm()), 2))
    text = notes(lambda: deep(good.init(key, x), x))
    assert "1: Repeat(Sequential(Linear(3), Broken()), 2) on float32[2,3]" in text
    assert text.index("Repeat(") < text.index("1: Sequential(Linear(3), Broken()) on float32[2,3]")


def test_every_misfit_is_listed_at_once():
    model = nn.Sequential(nn.Linear(4), nn.relu, nn.Repeat(nn.Linear(4), 2), nn.Linear(1))
    params = model.init(key, x)
    params["0"]["kernel"] = jnp.ones((5, 4))
    params["2"] |= {"kernel": jnp.ones((2, 4, 3)), "extra": jnp.ones((2, 1))}
    params["3"] = {"weight": 1.0, "bias": 0.0}
    with pytest.raises(ValueError, match="do not fit") as caught:
        model(params, x)
    message = str(caught.value)
    assert sorted(message.splitlines()[1:-1]) == [
        "  mismatch    0/kernel: given float32[5,4], needs float32[3,4]",
        "  mismatch    2/kernel: given float32[2,4,3], needs float32[2,4,4]",
        "  missing     3/kernel: needs float32[4,1]",
        "  no array    3/bias: given 0.0, needs float32[1]",
        "  unexpected  2/extra: given float32[2,1]",
        "  unexpected  3/weight: given 1.0",
    ]
    assert "these parameters do not fit Sequential(" in message
    assert "make parameters for it: layer.init(key, x)" in message


def test_what_was_asked_before_another_failure_is_compared():
    # The input has the wrong width, so the call would fail on any parameters.
    @nn.layer
    def fragile(params, x, *, key=None):
        return nn.Linear(4)(params["up"], x) + x

    params = {"up": {"kernel": jnp.ones((4, 4)), "bias": jnp.ones(4)}}
    with pytest.raises(ValueError, match=r"mismatch    up/kernel: given float32\[4,4\]"):
        fragile(params, x)


def test_swapped_arguments_are_noticed():
    params: Any = nn.Linear(4).init(key, x)
    with pytest.raises(ValueError, match=r"dict of parameters, but float32\[2,3\].*swapped\?"):
        nn.Linear(4)(x, params)


def test_an_error_that_is_no_misfit_stays_what_it_was():
    with pytest.raises(ValueError, match="dropout rate"):
        nn.layer(lambda params, x, *, key=None: nn.dropout(x, 1.5, key))({}, x)


def test_a_layer_can_be_called_again_after_an_error():
    params = nn.Linear(4).init(key, x)
    for _ in range(2):
        with pytest.raises(ValueError, match="do not fit"):
            nn.Linear(4)(params, jnp.ones((2, 5)))
    assert nn.Linear(4)(params, x).shape == (2, 4)


def test_nan_checks_name_the_layer():
    @nn.layer
    def root(params, x, *, key=None):
        return nn.Sequential(nn.Linear(3), nn.layer(lambda p, x, *, key=None: jnp.sqrt(-x * x)))(
            params["body"], x
        )

    params = root.init(key, x)
    with jax.debug_nans(True), pytest.raises(FloatingPointError) as caught:
        root(params, x)
    assert "body: Sequential(" in "\n".join(caught.value.__notes__)


def test_forward_mode_of_a_training_call_names_the_inference_call():
    norm = nn.Sequential(nn.BatchNorm())
    params = norm.init(key, x)
    with pytest.raises(TypeError) as caught:
        jax.jvp(lambda x: norm(params, x, key=key), (x,), (x,))
    notes = "\n".join(caught.value.__notes__)
    assert "Call the layer without a key" in notes
    assert "Attention by cuDNN has none either: give it implementation='xla'" in notes
    jax.jvp(lambda x: norm(params, x), (x,), (x,))
