import jax
import pytest

import jaxnet
from jaxnet.doctor import environment, examine

FITTING = dict.fromkeys(environment._PACKAGES, "1.2.3") | {"jaxnet": jaxnet.__version__}


def test_what_is_found_here():
    found = examine()
    assert found.found["jax"] == jax.__version__
    assert found.found["jaxnet is at"] == jaxnet.__path__[0]
    assert "steps/s" in found.found["trial training"]
    # Whatever this machine lacks, the trial training must have gone well.
    assert not any("did not learn" in problem for problem in found.problems)
    assert str(found).endswith("No problem was found.") is not bool(found.problems)


def test_settings_are_those_of_jax(monkeypatch, tmp_path):
    monkeypatch.setenv("XLA_FLAGS", "--some_flag=1")
    with jax.enable_x64(True):
        settings = environment._settings()
    assert settings["64-bit numbers"] == "on"
    assert "XLA_FLAGS=--some_flag=1" in settings["variables"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"optax": None}, "optax is not installed: pip install optax"),
        ({"jaxnet": "9.9.9"}, "PyPI's jaxnet is an unrelated project"),
        ({"jaxlib": "1.1.3"}, "jax 1.2.3 and jaxlib 1.1.3 do not belong together"),
    ],
)
def test_versions_that_do_not_fit(changed, words):
    (problem,) = environment._mismatches(FITTING | changed)
    assert words in problem


def test_versions_that_fit():
    assert environment._mismatches(FITTING) == []
    # A checkout on the path is not known to pip.
    assert environment._mismatches(FITTING | {"jaxnet": None, "jaxlib": "1.2.1"}) == []


def test_a_gpu_that_is_not_used(monkeypatch):
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    (problem,) = environment._devices(["cpu"], nvidia=True)
    assert "JAX does not see it" in problem
    assert environment._devices(["gpu"], nvidia=True) == []
    assert environment._devices(["cpu"], nvidia=False) == []
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert environment._devices(["cpu"], nvidia=True) == []


def test_problems_are_shown_last():
    found = environment.Environment({"jax": "1"}, ("it is broken",))
    assert str(found) == "jax  1\n\nPROBLEM: it is broken"
