"""Training: a state, a step, loops around it, and what makes a run repeatable."""

from jaxnet.core.lazy import lazy

lazy(__name__)
