"""The library alone."""

import haiku as haiku

print([])
