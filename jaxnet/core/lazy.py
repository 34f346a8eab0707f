"""Packages whose files are imported at the first use of their names: the rest costs nothing.

Such a package lists what it offers in its stub, ``__init__.pyi``, which type checkers read too.
"""

import importlib
import re
import sys
import types
from typing import Any


class LazyPackage(types.ModuleType):
    """A package that knows in which file each of its names is."""

    _files: dict[str, str]

    def __getattr__(self, name: str) -> Any:
        if name not in self._files:
            message = f"module {self.__name__!r} has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=self)
        file = self._files[name]
        # As ``from file import name`` does it: what a package lacks may be a file in it.
        if file == self.__name__ or not hasattr(importlib.import_module(file), name):
            value = importlib.import_module(f"{file}.{name}")
        else:
            value = getattr(sys.modules[file], name)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        # An import binds a file in its package, where its name may be that of a function in it.
        if isinstance(value, types.ModuleType) and name in self._files:
            value = getattr(value, name, value)
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._files})


def lazy(package: str) -> None:
    """Make a package lazy, from within its ``__init__.py``."""
    module: Any = sys.modules[package]
    stub = module.__spec__.loader.get_data(f"{module.__file__}i").decode()
    found = re.findall(r"^from (\S+) import \(?\s*(\w+) as", stub, re.MULTILINE)
    module._files = {name: file for file, name in found}
    module.__all__ = list(module._files)
    module.__class__ = LazyPackage
