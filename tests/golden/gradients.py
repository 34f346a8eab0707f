"""The gradients that optim.safetensors follows, with PyTorch and Keras alike."""

import numpy as np


def problem() -> tuple[np.ndarray, np.ndarray]:
    """Starting parameters ``[n]`` and gradients ``[20, n]``, float64.

    The gradients are those of ``sum(a/2 x^2 + b/4 x^4)`` along a random walk. Their sizes differ:
    1e-8 shows where an optimizer has its epsilon, and one stays zero.
    """
    rng = np.random.default_rng(0)
    start = rng.standard_normal(7)
    walk = start + np.cumsum(0.3 * rng.standard_normal((20, 7)), axis=0)
    a, b = rng.uniform(0.5, 2, (2, 7))
    return start, (a * walk + b * walk**3) * np.array([1, 1, 1, 1e3, 1e-4, 1e-8, 0])
