"""Parts of transformers in JAX alone, as hand-written programs have them."""

from typing import Any

import jax
import jax.numpy as jnp


def linear(params: Any, x: jax.Array) -> jax.Array:
    """Of the last axis."""
    return x @ params["kernel"] + params["bias"]


def norm(params: Any, x: jax.Array, eps: float = 1e-5) -> jax.Array:
    """Layer normalisation, in float32."""
    wide = x.astype(jnp.float32)
    wide = wide - wide.mean(-1, keepdims=True)
    wide = wide * jax.lax.rsqrt(jnp.square(wide).mean(-1, keepdims=True) + eps)
    return wide.astype(x.dtype) * params["scale"] + params["bias"]


def heads(params: Any, x: jax.Array) -> jax.Array:
    """``[B, T, D]`` to heads ``[B, T, H, K]``."""
    return jnp.einsum("btd,dhk->bthk", x, params["kernel"]) + params["bias"]


def merged(params: Any, y: jax.Array) -> jax.Array:
    """Heads ``[B, T, H, K]`` to ``[B, T, D]``."""
    return jnp.einsum("bthk,hkd->btd", y, params["kernel"]) + params["bias"]


def attention(params: Any, x: jax.Array, causal: bool) -> jax.Array:
    """Of the input to itself, by cuDNN where that can."""
    q, k, v = (heads(params[name], x) for name in ("query", "key", "value"))
    fast = jax.default_backend() == "gpu" and x.dtype == jnp.bfloat16
    how = "cudnn" if fast else "xla"
    y = jax.nn.dot_product_attention(q, k, v, is_causal=causal, implementation=how)
    return merged(params["out"], y)


def mlp(params: Any, x: jax.Array) -> jax.Array:
    """Two linear layers."""
    return linear(params["1"], jax.nn.gelu(linear(params["0"], x), approximate=False))


def block(params: Any, x: jax.Array, *, causal: bool = False, eps: float = 1e-5) -> jax.Array:
    """Attention and two linear layers, each on a path around the input."""
    x = x + attention(params["attention"], norm(params["norm1"], x, eps), causal)
    return x + mlp(params["mlp"], norm(params["norm2"], x, eps))


def cast(tree: Any, dtype: str) -> Any:
    """Floating-point arrays in another dtype."""
    floating = lambda x: jnp.issubdtype(x.dtype, jnp.floating)
    return jax.tree.map(lambda x: x.astype(dtype) if floating(x) else x, tree)
