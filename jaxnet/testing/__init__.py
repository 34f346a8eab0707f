"""Checks for your own layers, and hypothesis strategies that make inputs for them.

``check_layer`` holds a layer to what every layer of jaxnet promises. The strategies need
hypothesis and are imported where they are used: ``from jaxnet.testing import strategies``.
"""

from jaxnet.core.lazy import lazy

lazy(__name__)
