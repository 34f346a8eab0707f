"""What programs in plain JAX import: the variant names it."""

import importlib
import sys

for name in sys.argv[2].split(", "):
    importlib.import_module(name)

print([])
