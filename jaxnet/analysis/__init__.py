"""Looking at a model."""

from jaxnet.analysis.summary import summary as summary
