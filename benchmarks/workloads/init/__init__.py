"""How long the first parameters of a GPT take: compiled and drawn, and drawn again."""

import numpy as np

from benchmarks.workload import Settings, Workload

WORKLOAD = Workload(
    title="Initialise a GPT",
    cases={
        "cpu": {
            # Flax writes out all blocks, and takes minutes to compile 96.
            name: {
                "network": [vocabulary, width, blocks, heads, 1024],
                "without": ["flax"] if blocks == 96 else [],
            }
            for name, vocabulary, width, blocks, heads in (
                ("124M", 50304, 768, 12, 12),
                ("6 blocks of 256", 512, 256, 6, 8),
                ("96 blocks of 256", 512, 256, 96, 8),
                ("6 blocks of 1024", 512, 1024, 6, 16),
            )
        }
    },
    contenders={
        "jaxnet": ("first", "again"),
        "handwritten": ("first", "again"),
        "pytorch": ("",),
        "flax": ("first", "again"),
    },
    unit="init",
    together=False,
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """None."""
    return {}
