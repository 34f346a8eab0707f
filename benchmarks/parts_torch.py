"""Transformers of PyTorch, with one product for queries, keys and values, and flash attention."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.trial_torch import translated
from benchmarks.weights import unstacked


class Attention(nn.Module):
    """Of the input to itself."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def projected(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Queries, keys and values, ``[B, H, T, K]`` each."""
        return self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.scaled_dot_product_attention(*self.projected(x), is_causal=self.causal)
        return self.out(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and two linear layers, each on a path around the input."""

    def __init__(self, width: int, heads: int, *, causal: bool, eps: float = 1e-5) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps) for _ in range(2))
        self.attention = Attention(width, heads, causal)
        first, second = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.mlp = nn.ModuleDict({"0": first, "1": second})

    def mapped(self, x: torch.Tensor) -> torch.Tensor:
        """The input and what the two linear layers make of it."""
        return x + self.mlp["1"](functional.gelu(self.mlp["0"](self.norm2(x))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mapped(x + self.attention(self.norm1(x)))


class GPT(nn.Module):
    """GPT-2: ids ``[B, T]`` to logits ``[B, T, vocabulary]``, by the table that looked them up."""

    def __init__(self, vocabulary: int, width: int, depth: int, heads: int, length: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.zeros(length, width))
        self.blocks = nn.ModuleList(Block(width, heads, causal=True) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids) + self.position[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return functional.linear(self.norm(x), self.embed.weight)

    def loss(self, ids: torch.Tensor) -> torch.Tensor:
        """The cross-entropy of each next token."""
        return functional.cross_entropy(self(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())


def arrays(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """jaxnet's weights with heads merged, and queries, keys and values as one."""
    weights = unstacked(weights)
    weights["position"] = weights.pop("position/kernel")
    for path in [path for path in weights if path.endswith("out/kernel")]:
        at, x = path.removesuffix("out/kernel"), weights[path]
        weights[path] = x.reshape(-1, x.shape[-1])
        for leaf, axes in (("kernel", 1), ("bias", 0)):
            parts = [weights.pop(f"{at}{name}/{leaf}") for name in ("query", "key", "value")]
            parts = [part.reshape(*part.shape[:axes], -1) for part in parts]
            weights[f"{at}qkv/{leaf}"] = np.concatenate(parts, -1)
    # A table is no matrix to turn.
    tables = {"embed.weight": weights["embed/kernel"]} if "embed/kernel" in weights else {}
    return translated(weights) | tables
