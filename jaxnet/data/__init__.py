"""Data for training: in order, in batches, in parts, from files and streams; on the host."""

from jaxnet.core.lazy import lazy

lazy(__name__)
