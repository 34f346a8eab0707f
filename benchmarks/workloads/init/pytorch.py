"""A module of PyTorch, whose parameters are then drawn as GPT-2's are."""

from torch import nn

from benchmarks.parts_torch import GPT
from benchmarks.workload import Task


def draw(part: nn.Module) -> None:
    """New weights of linear layers and tables."""
    if isinstance(part, nn.Linear | nn.Embedding):
        nn.init.normal_(part.weight, std=0.02)
    if isinstance(part, nn.Linear):
        nn.init.zeros_(part.bias)


class Initializing:
    """Networks."""

    def __init__(self, network: list[int]) -> None:
        self.figures: dict[str, float] = {}
        self.network = network

    def check(self) -> list[float]:
        """The number of parameters."""
        return [float(sum(leaf.numel() for leaf in self._made().parameters()))]

    def run(self, n: int) -> int:
        """So many."""
        for _ in range(n):
            self._made()
        return n

    def _made(self) -> GPT:
        net = GPT(*self.network)
        net.apply(draw)
        nn.init.normal_(net.position, std=0.02)
        return net


def build(task: Task, variant: str) -> Initializing:
    """Its networks."""
    return Initializing(task.settings["network"])
