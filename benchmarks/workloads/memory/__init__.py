"""What a step holds beside its state: recomputing activations, and a batch in four parts."""

import numpy as np

from benchmarks.workload import Settings, Workload

VARIANTS = ("plain", "recomputed", "in 4 parts", "recomputed in 4 parts")
GPT, CNN = {"kind": "gpt"}, {"kind": "cnn"}

WORKLOAD = Workload(
    title="Memory of a step",
    cases={
        "cpu": {
            "GPT 6x256, 16 x 128": GPT | {"network": (512, 256, 6, 8, 128), "batch": 16},
            "CNN 8x16, 32 x 16x16": CNN | {"network": (8, 16), "size": 16, "batch": 32},
        },
        "gpu": {
            "GPT 12x768, 32 x 512": GPT | {"network": (512, 768, 12, 12, 512), "batch": 32},
            "CNN 16x64, 256 x 128x128": CNN | {"network": (16, 64), "size": 128, "batch": 256},
        },
        "small": {
            "GPT": GPT | {"network": (64, 32, 3, 2, 32), "batch": 8},
            "CNN": CNN | {"network": (4, 8), "size": 8, "batch": 8},
        },
    },
    contenders={"jaxnet": VARIANTS, "handwritten": VARIANTS},
    items="batch",
    together=False,
)


def parts(variant: str) -> int:
    """In how many the batch is divided."""
    return 4 if "4 parts" in variant else 1


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Random tokens, or images and labels."""
    rng, batch = np.random.default_rng(0), settings["batch"]
    if settings["kind"] == "gpt":
        vocabulary, *_, length = settings["network"]
        return {"ids": rng.integers(vocabulary, size=(batch, length + 1))}
    size = settings["size"]
    images = rng.random((batch, size, size, 3), np.float32)
    return {"x": images, "y": rng.integers(10, size=batch)}
