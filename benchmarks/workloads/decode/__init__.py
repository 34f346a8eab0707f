"""A decoder of a billion weights that writes, greedily, 128 tokens after a first one."""

import numpy as np

from benchmarks.workload import Settings, Workload

# Vocabulary, width, depth, heads, length.
LARGE, TINY = (50304, 2048, 18, 16, 128), (512, 64, 3, 4, 32)


def sized(network: tuple[int, ...], batch: int, dtype: str) -> Settings:
    """A case."""
    return {"network": network, "batch": batch, "dtype": dtype}


WORKLOAD = Workload(
    title="GPT, 1B, decoding in bfloat16",
    cases={
        "gpu": {f"batch {n}": sized(LARGE, n, "bfloat16") for n in (1, 64)},
        "small": {
            "float32": sized(TINY, 2, "float32"),
            "bfloat16": sized(TINY, 2, "bfloat16"),
        },
    },
    contenders={
        "jaxnet": ("",),
        "handwritten": ("",),
        "pytorch": ("eager", "compiled"),
    },
    unit="token",
    items="batch",
    tolerance=1e-2,
    together=False,
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """The first tokens."""
    rng = np.random.default_rng(0)
    return {"ids": rng.integers(settings["network"][0], size=settings["batch"])}


def numbers(settings: Settings, ids: np.ndarray, best: np.ndarray) -> list[float]:
    """What contenders must agree on, of ids and their logits ``[T, B]``.

    In 16 bits two ids are often equally likely, so only the first logit says something.
    """
    return (ids if settings["dtype"] == "float32" else best[0]).ravel().tolist()


def traffic(settings: Settings) -> float:
    """Bytes that a token reads at the least: the weights, and the cache half full on average."""
    vocabulary, width, depth, _, length = settings["network"]
    weights = vocabulary * width + depth * 12 * width**2
    cache = settings["batch"] * depth * 2 * width * length / 2
    return (weights + cache) * (4 if settings["dtype"] == "float32" else 2)
