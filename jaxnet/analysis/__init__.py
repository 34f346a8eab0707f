"""Looking at a model and at its programs."""

from jaxnet.core.lazy import lazy

lazy(__name__)
