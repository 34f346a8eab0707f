"""The library alone."""

import jaxnet as jaxnet

print([])
