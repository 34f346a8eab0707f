"""Losses: one number, the mean over all examples, and never a silent broadcast.

Every loss computes and returns at least float32: for bfloat16 inputs too it is a float32 number.
``weights``, ``mask`` and ``reduction`` are the same for all; see ``reduce``.
"""

from jaxnet.core.lazy import lazy

lazy(__name__)
