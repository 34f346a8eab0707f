"""Optimizers, schedules and rules by path: optax's, with the meaning of PyTorch or Keras.

Each optimizer is an ordinary ``optax.GradientTransformation``, so all of optax composes with it and
works in its place: ``optax.lion`` and ``optax.contrib.sophia``, ``prodigy``, ``schedule_free``,
``sam`` and the rest need no wrapper. ``learning_rate`` is a positive number, or a schedule from the
step to one.
"""

from jaxnet.core.lazy import lazy

lazy(__name__)
