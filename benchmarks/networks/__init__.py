"""The networks that are measured, each a layer made of the parts in ``jaxnet.nn``."""
