"""The jaxpr of a train step equals that of the same step written by hand in JAX and optax."""

import functools
import math
import re
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxnet import nn
from jaxnet.core import threefry
from jaxnet.nn.matmul import matmul
from jaxnet.nn.moments import moments
from jaxnet.train import TrainState, train_step

key = jax.random.key(0)


def lines(step, *args):
    """A jaxpr as text, without the names of functions and of the layers' own helpers."""
    text = str(jax.make_jaxpr(step)(*args))
    text = re.sub(r"(name|jvp|jvp_jaxpr_fun|jvp_jaxpr_thunk|call_jaxpr)=\S+", r"\1=…", text)
    return [line.strip() for line in text.splitlines()]


def assert_equal_programs(loss_fn, params, batch, hand_loss, statistics=()):
    """By hand: ``hand_loss(weights, stats, batch, key)`` returns the loss and the stats' change."""
    tx = optax.adam(1e-3)
    state = TrainState.create(params, tx, key)

    def step(carry, batch):
        clock, params, opt_state = carry
        stats = {name: params[name]["stats"] for name in statistics}
        weights = {
            name: {leaf: x for leaf, x in layer.items() if leaf != "stats"}
            for name, layer in params.items()
        }
        count = jax.lax.index_in_dim(clock, 0, keepdims=False).astype(jnp.int32)
        words = jax.lax.slice_in_dim(clock, 1, None)
        key = jax.random.wrap_key_data(words, impl="threefry2x32")
        step_key = threefry.fold_in(key, count)
        gradient = jax.value_and_grad(hand_loss, has_aux=True)
        (loss, change), grads = gradient(weights, stats, batch, step_key)
        updates, opt_state = tx.update(grads, opt_state, weights)
        params: Any = optax.apply_updates(weights, updates)
        for name in statistics:
            params[name]["stats"] = jax.tree.map(jnp.subtract, stats[name], change[name])
        count, words = count + 1, jax.random.key_data(key)
        words = [jnp.expand_dims(count.astype(jnp.uint32), 0), words]
        return (jax.lax.concatenate(words, 0), params, opt_state), loss

    hand = (state.clock, state.params, state.opt_state)
    ours = lines(train_step(loss_fn, tx), state, batch)
    theirs = lines(jax.jit(step, donate_argnums=0), hand, batch)
    assert len(ours) > 30
    assert ours == theirs


def test_mlp():
    net = nn.Sequential(nn.Linear(32), nn.relu, nn.Linear(10))
    x, y = jnp.ones((8, 16)), jnp.zeros((8, 10))

    def loss_fn(params, batch, key):
        x, y = batch
        return jnp.square(net(params, x) - y).mean()

    def hand_loss(params, stats, batch, key):
        x, y = batch
        h = x @ params["0"]["kernel"]
        h = jax.nn.relu(h + jnp.broadcast_to(params["0"]["bias"], h.shape))
        h = h @ params["2"]["kernel"]
        h = h + jnp.broadcast_to(params["2"]["bias"], h.shape)
        return jnp.square(h - y).mean(), {}

    assert_equal_programs(loss_fn, net.init(key, x), (x, y), hand_loss)


def ordered_conv(x, kernel, stride, order):
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), [(1, 1), (1, 1)], dimension_numbers=order
    )


# By hand: a convolution whose gradients are canonical, as they must be in a loop on CPU.
conv: Any = jax.custom_jvp(
    lambda x, kernel, stride: ordered_conv(x, kernel, stride, ("NHWC", "HWIO", "NHWC")),
    nondiff_argnums=(2,),
)


@functools.partial(conv.defjvp, symbolic_zeros=True)
def conv_jvp(stride, primals, tangents):
    x, kernel = primals
    dx, dk = tangents
    y = conv(x, kernel, stride)
    along = []
    if not isinstance(dx, jax.custom_derivatives.SymbolicZero):
        order = ("NHWC", "HWOI", "NHWC")
        along.append(ordered_conv(dx, kernel.transpose(0, 1, 3, 2), stride, order))
    order = ("CHWN", "IHWO", "HWNC")
    part = ordered_conv(x.transpose(3, 1, 2, 0), dk.transpose(2, 0, 1, 3), stride, order)
    along.append(part.transpose(2, 0, 1, 3))
    return y, functools.reduce(jnp.add, along)


def test_cnn_with_batchnorm_and_dropout():
    net = nn.Sequential(
        nn.Conv(32, 3, padding=1), nn.BatchNorm(), nn.relu, nn.MaxPool(2), nn.Dropout(0.1),
        nn.Conv(32, 3, padding=1, stride=2), nn.relu, nn.Flatten(), nn.Linear(10),
    )  # fmt: skip
    x, y = jnp.ones((4, 8, 8, 16)), jnp.zeros((4, 10))

    def loss_fn(params, batch, key):
        x, y = batch
        return jnp.square(net(params, x, key=key) - y).mean()

    def hand_loss(params, stats, batch, key):
        x, y = batch
        _, _, _, _, drop_key, *_ = threefry.split(key, 9)
        x = conv(x, params["0"]["kernel"], 1)
        x = x + jnp.broadcast_to(params["0"]["bias"], x.shape)

        near, rest, var = (m.reshape(-1) for m in moments(x, (0, 1, 2)))
        factor = jax.lax.rsqrt(var + 1e-5) * params["1"]["scale"]
        term = -rest * factor + params["1"]["bias"]
        h = x - jnp.broadcast_to(near, x.shape)
        h = h * jnp.broadcast_to(factor, x.shape)
        h = h + jnp.broadcast_to(term, x.shape)
        batch_stats = {"mean": near + rest, "var": var * (256 / 255)}
        change = jax.tree.map(lambda old, new: 0.1 * (old - new), stats["1"], batch_stats)

        h = nn.max_pool(jax.nn.relu(h), 2)
        keep = jax.random.bernoulli(threefry.written_out(drop_key), 0.9, h.shape)
        h = jnp.where(keep, h / 0.9, jnp.zeros_like(h))
        h = conv(h, params["5"]["kernel"], 2)
        h = jax.nn.relu(h + jnp.broadcast_to(params["5"]["bias"], h.shape))
        h = h.reshape(4, 128) @ params["8"]["kernel"]
        h = h + jnp.broadcast_to(params["8"]["bias"], h.shape)
        return jnp.square(h - y).mean(), {"1": change}

    assert_equal_programs(loss_fn, net.init(key, x), (x, y), hand_loss, statistics=("1",))


class Attention(nn.Layer):
    heads: int

    def __call__(self, params, x, *, key=None):
        q, k, v = (
            nn.Linear(x.shape[-1])(params[name], x).reshape(*x.shape[:-1], self.heads, -1)
            for name in ("query", "key", "value")
        )
        y = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        return nn.Linear(x.shape[-1])(params["out"], y.reshape(x.shape))


class Block(nn.Layer):
    heads: int

    def __call__(self, params, x, *, key=None):
        x = x + Attention(self.heads)(params["attn"], nn.LayerNorm()(params["norm1"], x))
        return x + nn.MLP(4 * x.shape[-1])(params["mlp"], nn.LayerNorm()(params["norm2"], x))


def test_transformer_of_six_blocks():
    @nn.layer
    def net(params, ids, *, key=None):
        x = nn.Embed(50, 16)(params["embed"], ids)
        x = nn.Repeat(Block(heads=2), 6, remat=True)(params["blocks"], x)
        return nn.Linear(50)(params["head"], nn.LayerNorm()(params["norm"], x))

    def loss_fn(params, ids, key):
        return jnp.square(net(params, ids)).mean()

    def linear(params, x):
        flat = x.reshape(-1, x.shape[-1])
        y = matmul(flat, params["kernel"])
        y = y + jnp.broadcast_to(params["bias"], y.shape)
        return y.reshape(*x.shape[:-1], y.shape[-1])

    def norm(params, x):
        near, rest, var = moments(x, (-1,))
        factor = jax.lax.rsqrt(var + 1e-5)
        y = (x - near) * factor - rest * factor
        y = y * jnp.broadcast_to(params["scale"], x.shape)
        return y + jnp.broadcast_to(params["bias"], x.shape)

    def block(x, params):
        h, attn = norm(params["norm1"], x), params["attn"]
        q, k, v = (linear(attn[n], h).reshape(2, 8, 2, 8) for n in ("query", "key", "value"))
        y = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        x = x + linear(attn["out"], y.reshape(x.shape))
        h = norm(params["norm2"], x)
        h = linear(params["mlp"]["0"], h)
        h = h * (0.5 + 0.5 * jax.lax.erf(h * math.sqrt(0.5)))
        return x + linear(params["mlp"]["1"], h), None

    def hand_loss(params, stats, ids, key):
        x = (
            params["embed"]["kernel"]
            .at[ids]
            .get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)
        )
        x, _ = jax.lax.scan(jax.checkpoint(block, prevent_cse=False), x, params["blocks"])
        y = linear(params["head"], norm(params["norm"], x))
        return jnp.square(y).mean(), {}

    ids = jnp.zeros((2, 8), jnp.int32)
    assert_equal_programs(loss_fn, net.init(key, ids), ids, hand_loss)
