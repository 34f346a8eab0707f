"""Names that are imported when they are used, whatever was imported before."""

import importlib
import pkgutil
import subprocess
import sys
import types

import pytest

import jaxnet
from jaxnet import nn
from jaxnet.core.lazy import LazyPackage

found = pkgutil.walk_packages(jaxnet.__path__, "jaxnet.")
packages = [jaxnet, *(importlib.import_module(info.name) for info in found if info.ispkg)]
PACKAGES = [package for package in packages if isinstance(package, LazyPackage)]


def python(code):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return run.stdout + run.stderr


def test_there_are_lazy_packages():
    assert len(PACKAGES) > 8


@pytest.mark.parametrize("package", PACKAGES)
def test_all_that_is_offered_is_there(package):
    assert package.__all__ and set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        getattr(package, name)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_is_never_the_file_that_it_is_in(package):
    for info in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{info.name}")
    for name in package.__all__:
        value = getattr(package, name)
        assert not isinstance(value, types.ModuleType) or not hasattr(value, name)


@pytest.mark.parametrize(
    "before",
    [
        "import jaxnet.nn.attention",
        "import jaxnet.nn.multihead",
        "from jaxnet import nn; nn.Linear",
    ],
)
def test_a_function_is_found_whoever_imported_its_file_first(before):
    code = f"{before}\nfrom jaxnet import nn\nprint(nn.attention.__name__, callable(nn.attention))"
    assert python(code) == "attention True\n"


def test_only_what_is_used_is_imported():
    code = "import jaxnet, sys; jaxnet.nn.Linear; print('jaxnet.nn.linear' in sys.modules, {})"
    found = (
        "[x for x in ('nn.attention', 'train', 'data', 'doctor') if f'jaxnet.{x}' in sys.modules]"
    )
    assert python(code.format(found)) == "True []\n"


@pytest.mark.parametrize("name", ["tree", "nn", "init", "testing", "Layer"])
def test_whichever_name_is_the_first(name):
    assert python(f"import jaxnet\nprint(jaxnet.{name}.__name__)").strip().endswith(name)


def test_all_names_can_be_imported_at_once():
    assert python("from jaxnet.nn import *\nprint(Linear, attention)").startswith("<class 'jaxnet")


def test_a_name_that_is_not_offered_is_an_error_with_the_nearest():
    text = python("from jaxnet import nn\nnn.Liner")
    assert "module 'jaxnet.nn' has no attribute 'Liner'. Did you mean: 'Linear'?" in text
    assert not hasattr(nn, "nothing")
