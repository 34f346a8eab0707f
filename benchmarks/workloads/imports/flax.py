"""The library alone."""

from flax import nnx as nnx

print([])
