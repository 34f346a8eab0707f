"""How long it takes to draw the 124M parameters of a 12-layer transformer, compilation included.

    python benchmarks/init_time.py [rounds]

Blocks are drawn stacked, for a scan, and one by one; each round is a process of its own.
"""

import statistics
import subprocess
import sys
import time

import jax
import jax.numpy as jnp

import jaxnet as jn
from jaxnet import nn

WIDTH, DEPTH, HEADS, LENGTH, VOCABULARY = 768, 12, 12, 1024, 50257
NORMAL = jax.nn.initializers.normal(0.02)


class Block(nn.Layer):
    """Causal self-attention and an MLP, each behind a norm."""

    def __call__(self, params, x, *, key=None):
        """``[B, T, D] -> [B, T, D]``."""

        def linear(name, features, x):
            return nn.Linear(features, initializer=NORMAL)(params[name], x)

        h = nn.LayerNorm()(params["norm1"], x)
        heads = (*x.shape[:-1], HEADS, WIDTH // HEADS)
        query, keys, values = (
            linear(name, WIDTH, h).reshape(heads) for name in ("query", "key", "value")
        )
        attended = jax.nn.dot_product_attention(query, keys, values, is_causal=True)
        x = x + linear("out", WIDTH, attended.reshape(x.shape))
        h = linear("up", 4 * WIDTH, nn.LayerNorm()(params["norm2"], x))
        return x + linear("down", WIDTH, nn.gelu(h))


def transformer(*, stacked: bool) -> jn.Layer:
    """GPT-2's smallest size, whose output is the last hidden state."""

    @nn.layer
    def net(params, ids, *, key=None):
        x = nn.Embed(VOCABULARY, WIDTH, initializer=NORMAL)(params["tokens"], ids)
        places = jn.param(params, "places", (LENGTH, WIDTH), NORMAL)
        x = x + jnp.broadcast_to(places[: ids.shape[1]], x.shape)
        if stacked:
            x = nn.Repeat(Block(), DEPTH)(params["blocks"], x, key=key)
        else:
            for i in range(DEPTH):
                x = Block()(params[f"block{i}"], x)
        return nn.LayerNorm()(params["norm"], x)

    return net


def once(form: str) -> None:
    """Print the seconds of one first ``init`` in this process, and the number of parameters."""
    net = transformer(stacked=form == "stacked")
    began = time.perf_counter()
    params = net.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 64), jnp.int32))
    jax.block_until_ready(params)
    print(time.perf_counter() - began, sum(leaf.size for leaf in jax.tree.leaves(params)))


def main(rounds: int) -> None:
    """Print each form's median and quartiles over processes, in turns."""
    times: dict[str, list[float]] = {"stacked": [], "one by one": []}
    size = ""
    for _ in range(rounds):
        for form, taken in times.items():
            command = [sys.executable, __file__, form]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds, size = run.stdout.split()
            taken.append(float(seconds))
    print(f"{int(size):,} parameters, {rounds} rounds")
    for form, taken in times.items():
        low, middle, high = statistics.quantiles(taken, n=4)
        print(f"{form:10}  {middle:.2f} s ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    argument = sys.argv[1] if len(sys.argv) > 1 else "7"
    if argument.isdigit():
        main(int(argument))
    else:
        once(argument)
