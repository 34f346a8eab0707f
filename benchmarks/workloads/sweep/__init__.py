"""64 small networks, trained by SGD with learning rates and first weights of their own."""

import numpy as np

from benchmarks.workload import Settings, Workload

EXAMPLES, BATCH, EPOCHS = 1024, 32, 4
RATES, SEEDS = 8, 8
STEPS = RATES * SEEDS * EPOCHS * EXAMPLES // BATCH

WORKLOAD = Workload(
    title=f"{RATES * SEEDS} trainings at once, batch {BATCH}",
    cases={
        "cpu": {
            "-".join(map(str, sizes)): {"sizes": sizes, "steps": STEPS}
            for sizes in ((10, 20, 1), (64, 32, 10))
        }
    },
    contenders={
        "jaxnet": ("jit of vmap", "sweep"),
        "handwritten": ("vmap, scan",),
        "pytorch": ("one by one", "torch.func"),
    },
    unit="64 trainings",
    items="steps",
)


def data(settings: Settings) -> dict[str, np.ndarray]:
    """Random examples and targets, and the learning rate of each network."""
    rng = np.random.default_rng(0)
    first, _, last = settings["sizes"]
    return {
        "x": rng.random((EXAMPLES, first), np.float32),
        "y": rng.random((EXAMPLES, last), np.float32),
        "rates": np.repeat(np.geomspace(3e-3, 0.1, RATES).astype(np.float32), SEEDS),
    }
