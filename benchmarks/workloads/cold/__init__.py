"""Two beginner's programs as whole processes, from the interpreter's start to its end."""

from benchmarks.workload import Workload

WORKLOAD = Workload(
    title="Cold start",
    cases={
        "cpu": {
            "PyTorch's program, first step": {"program": "regression"},
            "Keras's program, 100 x 10 epochs": {"program": "classification"},
            "the same again, each as installed": {"program": "classification", "kept": "own"},
            "the same with JAX's compilation cache": {"program": "classification", "kept": "all"},
        }
    },
    contenders={
        "jaxnet": ("",),
        "handwritten": ("",),
        "pytorch": ("",),
        "keras": ("tensorflow", "jax"),
    },
    unit="process",
    kind="process",
    quick=True,
)
