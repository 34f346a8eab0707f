"""The catalogue's rows: one module a room, each with these lists.

``LAYERS``: for each layer and its options ``(id, layer, *inputs)``, the inputs with a batch of two
first; every row goes through ``check_layer``.

``MISTAKES``: for each part ``(call, mistake, *words)``; calling ``mistake`` must raise a ValueError
whose message has all these words: the argument's name, what was given and the likely fix.
"""

import importlib
import pkgutil
from typing import Any


def rows(kind: str) -> list[tuple[Any, ...]]:
    """All rows of one kind, ``"LAYERS"`` or ``"MISTAKES"``, room after room."""
    names = sorted(
        module.name for module in pkgutil.iter_modules(__path__) if module.name != "inputs"
    )
    rooms = [importlib.import_module(f"catalogue.{name}") for name in names]
    return [row for room in rooms for row in getattr(room, kind, [])]
