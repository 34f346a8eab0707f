"""State spaces and causal convolution."""
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp

from catalogue.inputs import normal
from jaxnet import nn

X, LENGTHS = normal(2, 4, 3), jnp.array([2, 4])

LAYERS = [
    ("causal-conv", nn.CausalConv(3), X, None, LENGTHS),
    ("mamba", nn.Mamba(state=2, chunk=3, steps=(0.1, 0.5)), X, None, LENGTHS),
    ("s5", nn.S5(4, blocks=2, steps=(0.1, 0.5)), X, None, LENGTHS),
    ("rglru", nn.RGLRU(blocks=3, radius=(0.3, 0.6)), X, None, LENGTHS),
]  # fmt: skip

KEY, KERNEL = jax.random.key(0), jnp.ones((2, 1, 3))
ROW, A, BC = jnp.ones(3), -jnp.ones((3, 2)), jnp.ones((2, 4, 2))

MISTAKES = [
    ("nn.linear_recurrence", lambda: nn.linear_recurrence(X.astype(int), X),
     "input of linear_recurrence", "astype"),
    ("nn.linear_recurrence", lambda: nn.linear_recurrence(ROW, ROW), "axis of linear_recurrence"),
    ("nn.linear_recurrence", lambda: nn.linear_recurrence(X, X, axis=3), "from -3 to 2", "3"),
    ("nn.linear_recurrence", lambda: nn.linear_recurrence(X[:, :0], X[:, :0]), "at least one step"),
    ("nn.linear_recurrence", lambda: nn.linear_recurrence(X, ROW), "decay", "(2, 4, 3)",
     "float32[3]"),
    ("nn.linear_recurrence", lambda: nn.linear_recurrence(X, X, ROW), "state", "(2, 3)"),
    ("nn.linear_recurrence", lambda: nn.linear_recurrence(X, X + 1j), "all real or all complex"),
    ("nn.causal_conv", lambda: nn.causal_conv(ROW, KERNEL), "input of causal_conv", "2 axes"),
    ("nn.causal_conv", lambda: nn.causal_conv(X, jnp.ones((3, 1, 2))), "kernel of causal_conv",
     "[K, 1, D]", "transpose(2, 1, 0)"),
    ("nn.causal_conv", lambda: nn.causal_conv(X, KERNEL.astype(int)), "kernel of causal_conv",
     "astype"),
    ("nn.causal_conv", lambda: nn.causal_conv(X, KERNEL, jnp.ones(2)), "bias", "(3,)"),
    ("nn.causal_conv", lambda: nn.causal_conv(X, KERNEL, None, X), "state of causal_conv",
     "(2, 1, 3)"),
    ("nn.causal_conv", lambda: nn.causal_conv(X, KERNEL, state=jnp.ones((2, 1, 3), int)),
     "state of causal_conv", "astype"),
    ("nn.CausalConv", lambda: nn.CausalConv((3,)), "kernel_size of CausalConv", "int"),
    ("nn.CausalConv", lambda: nn.CausalConv(3)({}, ROW), "input of CausalConv", "axis of time"),
    ("nn.CausalConv", lambda: nn.CausalConv(3)({}, X, X), "state of CausalConv", "float32[2,2,3]"),
    ("nn.CausalConv", lambda: nn.CausalConv(2, initializer="kers").init(KEY, X), "kers", "keras"),
    ("nn.selective_scan", lambda: nn.selective_scan(ROW, ROW, A, BC, BC), "input of", "2 axes"),
    ("nn.selective_scan", lambda: nn.selective_scan(X, ROW, A, BC, BC), "dt of selective_scan",
     "(2, 4, 3)"),
    ("nn.selective_scan", lambda: nn.selective_scan(X, X, A.T, BC, BC), "A of selective_scan",
     "(3, 3)", "float32[2,3]"),
    ("nn.selective_scan", lambda: nn.selective_scan(X, X, 1.0, BC, BC), "A of", "jnp.asarray"),
    ("nn.selective_scan", lambda: nn.selective_scan(X, X, A, X, BC), "B of", "(2, 4, 2)"),
    ("nn.selective_scan", lambda: nn.selective_scan(X, X, A, BC, X), "C of", "(2, 4, 2)"),
    ("nn.selective_scan", lambda: nn.selective_scan(X, X, A, BC, BC, A), "D of", "(3,)"),
    ("nn.selective_scan", lambda: nn.selective_scan(X, X, A, BC, BC, state=A), "state of",
     "(2, 3, 2)"),
    ("nn.selective_scan", lambda: nn.selective_scan(X, X, A, BC, BC, chunk=0), "chunk of"),
    ("nn.Mamba", lambda: nn.Mamba(state=0), "state of Mamba", "at least 1"),
    ("nn.Mamba", lambda: nn.Mamba(expand=1.5), "expand of Mamba", "1.5"),
    ("nn.Mamba", lambda: nn.Mamba(kernel_size=0), "kernel_size of Mamba"),
    ("nn.Mamba", lambda: nn.Mamba(rank=0), "rank of Mamba"),
    ("nn.Mamba", lambda: nn.Mamba(steps=(0.1, 0.01)), "steps of Mamba", "(0.1, 0.01)"),
    ("nn.Mamba", lambda: nn.Mamba()({}, X.astype(int)), "input of Mamba", "astype"),
    ("nn.Mamba", lambda: nn.Mamba(state=2)({}, X, X), "state of Mamba", "float32[2,3,6]",
     "float32[2,6,2]", "initial(x)"),
    ("nn.Mamba", lambda: nn.Mamba().scan({}, X, None, LENGTHS + 1), "lengths of Mamba", "0 to 4"),
    ("nn.S5", lambda: nn.S5(6, blocks=2), "state of S5", "multiple of 4", "6"),
    ("nn.S5", lambda: nn.S5(4.0), "state of S5", "int"),
    ("nn.S5", lambda: nn.S5(4, blocks=0), "blocks of S5"),
    ("nn.S5", lambda: nn.S5(4, steps=0.1), "steps of S5", "pair"),
    ("nn.S5", lambda: nn.S5(4)({}, jnp.ones((2, 0, 3))), "at least one step"),
    ("nn.S5", lambda: nn.S5(4)({}, X, ROW), "state of S5", "complex64[2,2]", "initial(x)"),
    ("nn.rg_lru", lambda: nn.rg_lru(ROW, ROW, ROW, ROW), "input of rg_lru", "2 axes"),
    ("nn.rg_lru", lambda: nn.rg_lru(X, ROW, X, ROW), "input_gate of rg_lru", "(2, 4, 3)"),
    ("nn.rg_lru", lambda: nn.rg_lru(X, X, X[0], ROW), "recurrence_gate of rg_lru"),
    ("nn.rg_lru", lambda: nn.rg_lru(X, X, X, X), "decay of rg_lru", "(3,)"),
    ("nn.rg_lru", lambda: nn.rg_lru(X, X, X, ROW, X), "state of rg_lru", "(2, 3)"),
    ("nn.rg_lru", lambda: nn.rg_lru(X, X, X, ROW, power=0), "power of rg_lru", "above 0"),
    ("nn.RGLRU", lambda: nn.RGLRU(blocks=0), "blocks of RGLRU", "at least 1"),
    ("nn.RGLRU", lambda: nn.RGLRU(blocks=2).init(KEY, X), "3 input channels", "groups=2"),
    ("nn.RGLRU", lambda: nn.RGLRU(power=-1), "power of RGLRU"),
    ("nn.RGLRU", lambda: nn.RGLRU(radius=(0.9, 1.0)), "radius of RGLRU", "between 0 and 1"),
    ("nn.RGLRU", lambda: nn.RGLRU()({}, X, X), "state of RGLRU", "float32[2,3]"),
]  # fmt: skip
