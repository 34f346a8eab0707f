"""The library alone."""

import equinox as equinox

print([])
