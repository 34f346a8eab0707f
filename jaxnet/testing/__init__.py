"""Checks for your own layers, and hypothesis strategies that make inputs for them.

``check_layer`` holds a layer to what every layer of jaxnet promises. The strategies need
hypothesis and are imported where they are used: ``from jaxnet.testing import strategies``.
"""

import importlib
from typing import TYPE_CHECKING, Any

from jaxnet.testing.check import check_layer as check_layer

if TYPE_CHECKING:
    from jaxnet.testing import strategies as strategies


def __getattr__(name: str) -> Any:
    if name == "strategies":
        return importlib.import_module("jaxnet.testing.strategies")
    raise AttributeError(f"module 'jaxnet.testing' has no attribute {name!r}")
