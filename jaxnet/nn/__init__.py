"""Array functions in lower case, and the layers on them in CapWords."""

from jaxnet.core.lazy import lazy

lazy(__name__)
