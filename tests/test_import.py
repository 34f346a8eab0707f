"""Importing the library brings in JAX and little else."""

import subprocess
import sys


def modules_after(statement):
    code = f"{statement}; import sys; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_what_is_slow_to_import_comes_when_it_is_used():
    loaded = modules_after(
        "import jaxnet; from jaxnet.nn import *; from jaxnet.train import *; "
        "from jaxnet import analysis, data, doctor, interop, losses, metrics, optim"
    )
    slow = {"chex", "optax", "rich", "safetensors", "hypothesis", "matplotlib", "sklearn", "pytest"}
    assert not slow & loaded
    extra = {name for name in loaded - modules_after("import jax, jax.numpy") if "." not in name}
    assert len(extra - {"jaxnet"}) < 15, extra


def test_testing_is_reached_without_an_import_of_its_own():
    assert "chex" in modules_after("import jaxnet; jaxnet.testing.check_layer")
