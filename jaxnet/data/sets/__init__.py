"""Real data sets: small ones that are always there, and readers of large ones that you fetched.

``digits``, ``iris``, ``wine``, ``breast_cancer`` and ``diabetes`` come with scikit-learn, an extra
(``pip install 'jaxnet[examples]'``); text comes with Python itself. ``mnist``, ``fashion_mnist``,
``cifar10`` and ``cifar100`` read the published files from a folder. Nothing is ever downloaded or
unpickled. All return NumPy arrays: examples on the first axis, images NHWC, labels int32.
"""

from jaxnet.data.sets.cifar import cifar10 as cifar10
from jaxnet.data.sets.cifar import cifar100 as cifar100
from jaxnet.data.sets.mnist import fashion_mnist as fashion_mnist
from jaxnet.data.sets.mnist import mnist as mnist
from jaxnet.data.sets.tables import Names as Names
from jaxnet.data.sets.tables import breast_cancer as breast_cancer
from jaxnet.data.sets.tables import diabetes as diabetes
from jaxnet.data.sets.tables import digits as digits
from jaxnet.data.sets.tables import iris as iris
from jaxnet.data.sets.tables import names as names
from jaxnet.data.sets.tables import wine as wine
from jaxnet.data.sets.text import decode as decode
from jaxnet.data.sets.text import encode as encode
from jaxnet.data.sets.text import python_source as python_source
from jaxnet.data.sets.text import python_text as python_text
from jaxnet.data.sets.text import vocabulary as vocabulary
