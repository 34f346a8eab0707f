"""The same in PyTorch with a cache of a fixed size, a token compiled as a CUDA graph or eager."""

import torch
from torch.nn import functional

from benchmarks.parts_torch import GPT, Block, arrays
from benchmarks.trial_torch import device, load
from benchmarks.workload import Task
from benchmarks.workloads.decode import numbers, traffic


class Decoding:
    """A token after the other."""

    def __init__(self, task: Task, compiled: bool) -> None:
        self.settings, self.figures = task.settings, {"bytes": traffic(task.settings)}
        _, width, depth, heads, self.length = self.settings["network"]
        self.where = device(task.device)
        dtype = getattr(torch, self.settings["dtype"])
        self.net = GPT(*self.settings["network"])
        load(self.net, arrays(task.weights))
        self.net = self.net.to(self.where, dtype)
        self.first = torch.from_numpy(task.data["ids"]).to(self.where)
        shape = (depth, 2, self.settings["batch"], heads, self.length, width // heads)
        # A buffer stays in its place, as a CUDA graph that writes to it needs.
        self.net.register_buffer("cache", torch.zeros(shape, dtype=dtype, device=self.where))
        self.places = torch.arange(self.length, device=self.where)
        options = {"mode": "reduce-overhead", "fullgraph": True}
        self.step = torch.compile(self.token, **options) if compiled else self.token

    def attend(self, block: Block, i: int, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Of one token ``[B, 1, D]`` to all up to it."""
        q, k, v = block.attention.projected(x)
        keys, values = self.net.cache[i]
        keys.index_copy_(2, t, k)
        values.index_copy_(2, t, v)
        seen = (self.places <= t)[None, None, None]
        y = functional.scaled_dot_product_attention(q, keys, values, attn_mask=seen)
        return block.attention.out(y.transpose(1, 2).flatten(2))

    def token(self, ids: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The next ids ``[B]`` and their logits, at the place ``t [1]``."""
        x = self.net.embed(ids[:, None]) + self.net.position[t]
        for i, block in enumerate(self.net.blocks):
            x = block.mapped(x + self.attend(block, i, block.norm1(x), t))
        scores = functional.linear(self.net.norm(x)[:, 0], self.net.embed.weight)
        best, ids = scores.max(-1)
        return ids, best

    @torch.inference_mode()
    def sequence(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """All tokens and their logits."""
        ids, found = self.first, []
        for t in self.places.split(1):
            # What a graph gives back is overwritten by its next run.
            ids, best = (x.clone() for x in self.step(ids, t))
            found.append((ids, best))
        if self.where.type == "cuda":
            torch.cuda.synchronize()
        return found

    def check(self) -> list[float]:
        """The tokens, or what is sure of them."""
        ids, best = (torch.stack(x).cpu() for x in zip(*self.sequence(), strict=True))
        return numbers(self.settings, ids.numpy(), best.float().numpy())

    def run(self, n: int) -> int:
        """So many tokens, in whole sequences."""
        sequences = -(-n // self.length)
        for _ in range(sequences):
            self.sequence()
        return sequences * self.length


def build(task: Task, variant: str) -> Decoding:
    """Its writing."""
    return Decoding(task, variant == "compiled")
