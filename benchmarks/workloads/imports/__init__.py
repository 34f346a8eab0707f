"""What it costs to import each library, as a process that does nothing else."""

from benchmarks.workload import Workload

WORKLOAD = Workload(
    title="Import",
    cases={"cpu": {"": {}}},
    contenders={
        "jaxnet": ("a first program", "all of it"),
        "handwritten": ("jax", "jax, optax"),
        "pytorch": ("",),
        "keras": ("tensorflow", "jax"),
        "flax": ("",),
        "equinox": ("",),
        "haiku": ("",),
    },
    unit="process",
    kind="process",
    quick=True,
)
