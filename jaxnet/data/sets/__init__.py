"""Real data sets: small ones that are always there, and readers of large ones that you fetched.

``digits``, ``iris``, ``wine``, ``breast_cancer`` and ``diabetes`` come with scikit-learn, an extra
(``pip install 'jaxnet[examples]'``); text comes with Python itself. ``mnist``, ``fashion_mnist``,
``cifar10`` and ``cifar100`` read the published files from a folder. Nothing is ever downloaded or
unpickled. All return NumPy arrays: examples on the first axis, images NHWC, labels int32.
"""

from jaxnet.core.lazy import lazy

lazy(__name__)
