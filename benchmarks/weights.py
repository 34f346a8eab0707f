"""Weights by their paths, as networks without a scan over blocks have them."""

import numpy as np


def unstacked(weights: dict[str, np.ndarray], name: str = "blocks") -> dict[str, np.ndarray]:
    """``blocks/norm/scale [N, ...]`` as ``blocks/0/norm/scale [...]`` and so on."""
    arrays = {}
    for path, x in weights.items():
        parent, _, rest = path.partition("/")
        if parent == name:
            arrays |= {f"{name}/{i}/{rest}": block for i, block in enumerate(x)}
        else:
            arrays[path] = x
    return arrays
