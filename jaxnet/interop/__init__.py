"""Weights in and out."""

from jaxnet.core.lazy import lazy

lazy(__name__)
