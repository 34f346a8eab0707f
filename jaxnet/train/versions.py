"""Which versions a result depends on, as runs and checkpoints record them."""

import functools
import sys
from importlib.metadata import version


@functools.cache
def versions() -> dict[str, str]:
    """The versions of Python and of the packages that results depend on."""
    import jaxnet

    packages = {name: version(name) for name in ("jax", "jaxlib", "numpy", "optax")}
    return {"python": sys.version.split()[0], "jaxnet": jaxnet.__version__, **packages}
